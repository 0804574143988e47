package recorder

import (
	"os"
	"os/user"
	"path/filepath"
	"strconv"
)

// Operator returns the user of the operating system, also behind sudo.
func Operator() string {
	name := strconv.Itoa(os.Getuid())
	if u, err := user.LookupId(name); err == nil {
		name = u.Username
	}
	if by := os.Getenv("SUDO_USER"); by != "" && os.Getuid() == 0 {
		name = by + " (" + name + ")"
	}
	return name
}

// DirectoryOf returns the directory of the recorder that a directory is of: the same, or the
// one that it is a case of.
func DirectoryOf(dir string) string {
	full, err := filepath.Abs(dir)
	if err != nil || filepath.Base(filepath.Dir(full)) != caseDir {
		return dir
	}
	root := filepath.Dir(filepath.Dir(full))
	if _, err := os.Stat(filepath.Join(root, sealDir)); err != nil {
		return dir
	}
	return root
}
