package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"time"

	"github.com/clearspan/clearspan/appliance/control/client"
)

// askedWithin bounds how long a box may take to say what it is.
const askedWithin = 2 * time.Second

// byFile finds the box that runs with a file whose state directory has changed since: it
// looks at the processes that this user may look into, and asks those that hold a state
// directory. It returns nil if there is none.
func byFile(file string) *client.Client {
	processes, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, p := range processes {
		args, err := os.ReadFile(p)
		if err != nil || !bytes.Contains(args, []byte("\x00run\x00")) {
			continue
		}
		for _, state := range heldStates(filepath.Dir(p)) {
			c, err := client.Open(state)
			if err != nil {
				continue // sessions drain there
			}
			if runsWith(c, file) {
				return c
			}
			c.Close()
		}
	}
	return nil
}

// heldStates returns the state directories that a process holds by their pid files.
// process is its directory in /proc.
func heldStates(process string) (list []string) {
	files, _ := filepath.Glob(filepath.Join(process, "fd", "*"))
	for _, f := range files {
		if path, err := os.Readlink(f); err == nil && filepath.Base(path) == filepath.Base(pidFile("")) {
			list = append(list, filepath.Dir(path))
		}
	}
	return list
}

// runsWith reports whether a box runs with a file.
func runsWith(c *client.Client, file string) bool {
	ctx, cancel := context.WithTimeout(context.Background(), askedWithin)
	defer cancel()
	s, err := c.Status(ctx)
	return err == nil && s.Config.File != "" && samePath(file, s.Config.File)
}
