package admission

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// processMemory returns what the process has resident without files, in octets.
func processMemory() (uint64, error) {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0, err
	}
	var size, resident, shared uint64
	if _, err := fmt.Sscan(string(text), &size, &resident, &shared); err != nil {
		return 0, fmt.Errorf("read /proc/self/statm: %w", err)
	}
	return (resident - min(resident, shared)) * uint64(os.Getpagesize()), nil
}

// machineMemory returns the memory of the machine, in octets.
func machineMemory() (uint64, error) { return kibibytes("MemTotal:") }

// availableMemory returns what the kernel could give out, in octets.
func availableMemory() (uint64, error) { return kibibytes("MemAvailable:") }

func kibibytes(name string) (uint64, error) {
	n, err := sum("/proc/meminfo", name)
	return n << 10, err
}

// sum adds the numbers that stand behind names in a file of such lines; each must
// be there.
func sum(file string, names ...string) (total uint64, err error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	found := 0
	for line := range strings.Lines(string(text)) {
		words := strings.Fields(line)
		if len(words) < 2 || !slices.Contains(names, words[0]) {
			continue
		}
		n, err := strconv.ParseUint(words[1], 10, 64)
		if err != nil {
			return 0, fmt.Errorf("read %s of %s: %w", words[0], file, err)
		}
		total, found = total+n, found+1
	}
	if found != len(names) {
		return 0, fmt.Errorf("%s does not have all of %v", file, names)
	}
	return total, nil
}

// hierarchy is where control groups of one version keep a group's memory.
type hierarchy struct {
	mount, limit, usage string
	cache               []string // fields of memory.stat: page cache that can be given back
}

var hierarchies = []hierarchy{
	{"/sys/fs/cgroup", "memory.max", "memory.current", []string{"inactive_file", "active_file"}},
	{"/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes", []string{"total_inactive_file", "total_active_file"}},
}

// controlGroup returns the closest limit of the process's control group and its
// ancestors, nil if there is none.
func controlGroup() (*gauge, error) {
	text, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		if errors.Is(err, os.ErrNotExist) {
			return nil, nil // a kernel without
		}
		return nil, err
	}
	var tightest *gauge
	for line := range strings.Lines(string(text)) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) != 3 {
			continue
		}
		h := hierarchies[1]
		switch {
		case parts[0] == "0" && parts[1] == "":
			h = hierarchies[0]
		case parts[1] != "memory":
			continue
		}
		for group := filepath.Clean(parts[2]); ; group = filepath.Dir(group) {
			// In a container the file system may show the process's own group as the root.
			if g := h.gauge(filepath.Join(h.mount, group)); g != nil && (tightest == nil || g.limit < tightest.limit) {
				tightest = g
			}
			if group == "/" || group == "." {
				break
			}
		}
	}
	return tightest, nil
}

// gauge returns the limit of the group in directory dir, nil if it has none.
func (h hierarchy) gauge(dir string) *gauge {
	text, err := os.ReadFile(filepath.Join(dir, h.limit))
	if err != nil {
		return nil
	}
	limit, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64)
	total, terr := machineMemory()
	if err != nil || terr != nil || limit >= total || limit == 0 { // "max", or version 1's word for it
		return nil
	}
	return &gauge{name: "control group", limit: limit, used: func() (uint64, error) { return h.used(dir) }}
}

func (h hierarchy) used(dir string) (uint64, error) {
	text, err := os.ReadFile(filepath.Join(dir, h.usage))
	if err != nil {
		return 0, err
	}
	used, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64)
	if err != nil {
		return 0, err
	}
	cache, err := sum(filepath.Join(dir, "memory.stat"), h.cache...)
	return used - min(used, cache), err
}

// descriptors returns how the file descriptors stand if as many more as given
// are taken. The lowest free one tells how many are in use.
func descriptors(more int64) Level {
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) != nil {
		return Ample
	}
	lowest, err := unix.FcntlInt(0, unix.F_DUPFD_CLOEXEC, 3)
	switch {
	case errors.Is(err, unix.EMFILE):
		return None
	case err != nil:
		return Ample // no descriptor 0 to try with
	}
	unix.Close(lowest)
	// For files, mirrors, and what belongs to no session.
	kept := min(int64(limit.Cur)/8, 256)
	switch free := int64(limit.Cur) - int64(lowest) - more; {
	case free < kept/2:
		return None
	case free < kept:
		return Short
	}
	return Ample
}
