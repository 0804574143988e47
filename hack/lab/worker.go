package lab

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// WorkerOf returns the process id of the newest worker of an appliance, by the process id
// of its keeper; 0 if there is none.
func WorkerOf(keeper int) int {
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", keeper))
	if err != nil {
		return 0
	}
	var workers []int
	for _, file := range files {
		text, _ := os.ReadFile(file) // the thread may have ended
		for _, word := range strings.Fields(string(text)) {
			args, _ := os.ReadFile("/proc/" + word + "/cmdline")
			if pid, err := strconv.Atoi(word); err == nil && bytes.Contains(args, []byte("role\x00worker")) {
				workers = append(workers, pid)
			}
		}
	}
	if len(workers) == 0 {
		return 0
	}
	return slices.Max(workers)
}

// Worker returns the process id of the newest worker, which serves sessions; 0 if there
// is none.
func (a *Appliance) Worker() int { return WorkerOf(a.Pid()) }
