package scenetest

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/clearspan/clearspan/hack/lab"
	"github.com/clearspan/clearspan/hack/tempo"
)

// Binary is the appliance, built with the race detector unless figures are wanted.
var Binary string

// Main is what TestMain of a package of scenes does: it builds the appliance, and
// has at most so many scenes at a time. A -parallel of the command line counts
// instead, unless one is all there may be: then scenes run one after the other.
func Main(m *testing.M, scenes int) {
	flag.Parse()
	os.Exit(func() int {
		if testing.Short() {
			return m.Run() // every scene is skipped
		}
		if together = scenes > 1; together {
			tempo.Parallel(scenes)
		}
		dir, err := os.MkdirTemp("", "clearspan-e2e")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		os.Chmod(dir, 0o755)
		Binary = filepath.Join(dir, "clearspan")
		if err := lab.Compile(Binary, tempo.Rounds() == 1); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return m.Run()
	}())
}

// together is whether scenes run at the same time.
var together bool

// Together lets the test run beside others, where scenes do. [New] calls it.
func Together(t *testing.T) {
	if together {
		t.Parallel()
	}
}

// dependOnSources is asked for by every scene, and done once.
var dependOnSources = sync.OnceValue(lab.DependOnSources)

// PlainBinary is the appliance without the race detector, for what that takes of
// memory and time; built when it is first wanted.
var PlainBinary = sync.OnceValues(func() (string, error) {
	if tempo.Rounds() > 1 {
		return Binary, nil
	}
	to := Binary + "-plain"
	return to, lab.Compile(to, false)
})

// limited returns the appliance's program, or one that runs it within the limits of
// s, with a variable in its environment, or with a hosts file of its own.
func (c *Scene) limited(s Settings) string {
	c.Helper()
	program := Binary
	if s.Plain {
		var err error
		if program, err = PlainBinary(); err != nil {
			c.Fatal(err)
		}
	}
	if s.NoFile == 0 && s.Memory == nil && s.Env == "" && s.Hosts == "" {
		return program
	}
	enter := ":"
	if s.Memory != nil {
		enter = s.Memory.Enter()
	}
	names := ""
	if s.Hosts != "" {
		c.Write(filepath.Join(c.Dir, "hosts"), []byte(s.Hosts))
		names = fmt.Sprintf("[ \"$OWN\" ] || OWN=1 exec unshare --mount \"$0\" \"$@\"\nmount --bind %s /etc/hosts || exit 1\n", filepath.Join(c.Dir, "hosts"))
	}
	limit := ""
	if s.NoFile > 0 {
		limit = fmt.Sprintf("prlimit --nofile=%d -- ", s.NoFile)
	}
	script := filepath.Join(c.Dir, "limited")
	text := fmt.Sprintf("#!/bin/sh\n%s\n%sexec env %s %s%s \"$@\"\n", enter, names, s.Env, limit, program)
	if err := os.WriteFile(script, []byte(text), 0o755); err != nil {
		c.Fatal(err)
	}
	return script
}
