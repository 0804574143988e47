package lab

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// WorkerOf returns the process id of the newest worker of an appliance, by the process id
// of its keeper; 0 if there is none. It looks at all processes: the kernel's list of
// children lacks some while others end (proc(5)).
func WorkerOf(keeper int) int {
	processes, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return 0
	}
	newest, began := 0, uint64(0)
	for _, dir := range processes {
		parent, at := originOf(dir)
		if parent != keeper {
			continue
		}
		args, _ := os.ReadFile(filepath.Join(dir, "cmdline")) // the process may have ended
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err == nil && bytes.Contains(args, []byte("role\x00worker")) && (at > began || at == began && pid > newest) {
			newest, began = pid, at
		}
	}
	return newest
}

// originOf returns the parent of a process, and when it began, in ticks since the boot:
// process numbers begin anew at times.
func originOf(dir string) (parent int, at uint64) {
	text, _ := os.ReadFile(filepath.Join(dir, "stat"))
	_, rest, _ := strings.Cut(string(text), ") ") // behind the name; then the state, field 3 of proc(5)
	fields := strings.Fields(rest)
	if len(fields) < 20 {
		return 0, 0
	}
	parent, _ = strconv.Atoi(fields[1])
	at, _ = strconv.ParseUint(fields[19], 10, 64)
	return parent, at
}

// Worker returns the process id of the newest worker, which serves sessions; 0 if there
// is none.
func (a *Appliance) Worker() int { return WorkerOf(a.Pid()) }
