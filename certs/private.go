package certs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// CheckDirectory returns an error if other users may write to a directory, who could
// then put keys of their own in the place of ours. One that does not exist is none.
func CheckDirectory(path string) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("check directory of keys: %w", err)
	case !info.IsDir():
		return fmt.Errorf("%s: not a directory", path)
	}
	if perm := info.Mode().Perm(); perm&0o022 != 0 {
		return fmt.Errorf("%s: mode %04o lets other users replace keys, want 0700: chmod go-w %s", path, perm, path)
	}
	return nil
}
