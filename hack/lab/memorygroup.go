package lab

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// MemoryGroup is a control group whose processes may take so much memory, and are
// killed by the kernel if they take more.
type MemoryGroup struct {
	dir    string
	events string // file that counts kills
}

// NewMemoryGroup makes a group beside that of the calling process. The error
// wraps errors.ErrUnsupported where the machine has no such groups, or they may
// not be made.
func NewMemoryGroup(name string, octets uint64) (*MemoryGroup, error) {
	text, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return nil, err
	}
	own := make(map[string]string) // by controller, "" for version 2
	for line := range strings.Lines(string(text)) {
		if parts := strings.SplitN(strings.TrimSpace(line), ":", 3); len(parts) == 3 {
			own[parts[1]] = parts[2]
		}
	}
	g, limit := &MemoryGroup{}, ""
	if _, err := os.Stat("/sys/fs/cgroup/memory/memory.limit_in_bytes"); err == nil {
		g.dir, limit, g.events = filepath.Join("/sys/fs/cgroup/memory", own["memory"], name), "memory.limit_in_bytes", "memory.oom_control"
	} else {
		g.dir, limit, g.events = filepath.Join("/sys/fs/cgroup", filepath.Dir(own[""]), name), "memory.max", "memory.events"
	}
	if err := os.Mkdir(g.dir, 0o755); err != nil {
		return nil, fmt.Errorf("make memory group: %w (%w)", err, errors.ErrUnsupported)
	}
	if err := os.WriteFile(filepath.Join(g.dir, limit), strconv.AppendUint(nil, octets, 10), 0); err != nil {
		os.Remove(g.dir)
		return nil, fmt.Errorf("limit memory group: %w (%w)", err, errors.ErrUnsupported)
	}
	return g, nil
}

// Enter is a shell command that puts the shell, and what it becomes, into the
// group.
func (g *MemoryGroup) Enter() string { return "echo $$ > " + filepath.Join(g.dir, "cgroup.procs") }

// Kills returns how many processes were killed for want of memory.
func (g *MemoryGroup) Kills() (int, error) {
	text, err := os.ReadFile(filepath.Join(g.dir, g.events))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if n, ok := strings.CutPrefix(line, "oom_kill "); ok {
			return strconv.Atoi(strings.TrimSpace(n))
		}
	}
	return 0, fmt.Errorf("%s does not count kills", g.events)
}

// Close removes the group; its processes must have ended.
func (g *MemoryGroup) Close() error {
	var err error
	for range 50 {
		if err = os.Remove(g.dir); err == nil || errors.Is(err, os.ErrNotExist) {
			return nil
		}
		time.Sleep(20 * time.Millisecond) // the kernel takes a moment
	}
	return err
}
