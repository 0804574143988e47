package wire

import (
	"fmt"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// namespaceOf identifies the namespace behind a path, as long as it exists.
func namespaceOf(path string) (string, error) {
	var s unix.Stat_t
	if err := unix.Stat(path, &s); err != nil {
		return "", fmt.Errorf("identify namespace %s: %w", path, err)
	}
	return fmt.Sprintf("%d:%d", s.Dev, s.Ino), nil
}

// HostNamespace returns a path to the network namespace that the legs of a wire came
// from, in which [Remove] is to be called. It is "" if that is the namespace of this
// process, or is not to be found any more. It returns fs.ErrNotExist if there is no wire
// of that name.
func HostNamespace(name string) (path string, err error) {
	if err := checkName(name); err != nil {
		return "", err
	}
	record, err := readRecord(name)
	if err != nil {
		return "", err
	}
	own, err := namespaceOf("/proc/self/ns/net")
	if err != nil || record.Home == "" || record.Home == own {
		return "", err
	}
	for _, pattern := range []string{netnsDir + "/*", "/proc/[0-9]*/ns/net"} {
		paths, _ := filepath.Glob(pattern) // the pattern is good
		for _, path := range paths {
			if found, err := namespaceOf(path); err == nil && found == record.Home {
				return path, nil
			}
		}
	}
	return "", nil
}
