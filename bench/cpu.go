package bench

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// cpuTime returns the CPU time, user and kernel, that a process and its
// descendants have used so far. Threads and children that have ended are not in
// it: contenders keep theirs.
func cpuTime(pid int) (time.Duration, error) {
	total := time.Duration(0)
	for _, p := range append(descendants(pid), pid) {
		tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", p))
		if err != nil || len(tasks) == 0 {
			return 0, fmt.Errorf("read CPU time of process %d: it is gone", p)
		}
		for _, task := range tasks {
			d, err := scheduled(filepath.Dir(task))
			if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
				continue // a thread that has just ended
			}
			if err != nil {
				return 0, err
			}
			total += d
		}
	}
	return total, nil
}

// scheduled returns the CPU time of one process or thread, given by its
// directory under /proc.
func scheduled(dir string) (time.Duration, error) {
	b, err := os.ReadFile(filepath.Join(dir, "schedstat"))
	if err != nil {
		return 0, err
	}
	first, _, _ := strings.Cut(string(b), " ")
	ns, err := strconv.ParseInt(first, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("parse CPU time in %s: %w", dir, err)
	}
	return time.Duration(ns), nil
}

// descendants returns the processes below pid.
func descendants(pid int) (all []int) {
	lists, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, list := range lists {
		b, err := os.ReadFile(list)
		if err != nil {
			continue
		}
		for _, field := range strings.Fields(string(b)) {
			if child, err := strconv.Atoi(field); err == nil {
				all = append(append(all, child), descendants(child)...)
			}
		}
	}
	return all
}
