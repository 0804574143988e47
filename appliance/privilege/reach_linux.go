package privilege

import (
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// reaches reports whether a user of one group may do with a path what permission
// says, and go there, without any capability. For root that is more than it has:
// files of others are closed to it, too, once it has none. What is no path, or does
// not exist, is reached.
func reaches(uid, gid int, path string, permission fs.FileMode) bool {
	info, err := os.Stat(path)
	if err != nil {
		return true
	}
	if info.IsDir() {
		permission |= 0o001 // for what is in it
	}
	if path, err = filepath.Abs(path); err != nil {
		return false
	}
	if !opens(uid, gid, path, permission) {
		return false
	}
	for dir := filepath.Dir(path); ; dir = filepath.Dir(dir) {
		if !opens(uid, gid, dir, 0o001) {
			return false
		}
		if dir == "/" {
			return true
		}
	}
}

// opens looks at the mode of one file or directory (path_resolution(7)).
func opens(uid, gid int, path string, permission fs.FileMode) bool {
	info, err := os.Stat(path)
	if err != nil {
		return true
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return true
	}
	switch mode := info.Mode().Perm(); {
	case int(st.Uid) == uid:
		return mode>>6&permission == permission
	case int(st.Gid) == gid:
		return mode>>3&permission == permission
	default:
		return mode&permission == permission
	}
}
