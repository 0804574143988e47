package here

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/clearspan/clearspan/appliance/config"
)

// low is how much room a disk has at least that no finding is about: a day of audit
// entries of a busy box.
const low = 1 << 30

// folder is a directory that the appliance writes into.
type folder struct {
	path, what string
	keeps      uint64 // octets that may lie in it; 0: no bound
	bounded    bool
	keys       []string
}

// directories finds those that cannot be written, and disks with little room.
func directories(cfg *config.Config) (list []Finding) {
	folders := []folder{{path: cfg.State, what: "state", keys: []string{"state"}}}
	for i := range cfg.Mirrors {
		m := &cfg.Mirrors[i]
		if m.Kind != config.PCAPNG {
			continue
		}
		size, keep := uint64(max(m.Files.RotateSize, 0)), uint64(max(m.Files.Keep, 0))
		folders = append(folders, folder{m.Files.Directory, "mirror " + m.Name, size * keep, size > 0 && keep > 0, []string{"mirror", strconv.Itoa(i), "directory"}})
	}
	if file := cfg.Audit.File; file != "stdout" && filepath.IsAbs(file) {
		folders = append(folders, folder{path: filepath.Dir(file), what: "audit", keys: []string{"audit", "file"}})
	}
	for _, f := range folders {
		list = append(list, f.look()...)
	}
	return list
}

func (f *folder) look() (list []Finding) {
	there, err := existing(f.path)
	if err == nil {
		err = unix.Access(there, unix.W_OK|unix.X_OK)
	}
	if err != nil {
		message := fmt.Sprintf("%s: %s may not write into %s: %v", f.what, account(), there, err)
		return []Finding{{Message: message, Keys: f.keys}}
	}
	var s unix.Statfs_t
	if err := unix.Statfs(there, &s); err != nil {
		return nil
	}
	free := s.Bavail * uint64(s.Bsize)
	switch {
	case free < low:
		list = append(list, Finding{Message: fmt.Sprintf("%s: the disk of %s has only %s free", f.what, f.path, size(free)), Keys: f.keys, Warning: true})
	case f.bounded && f.keeps > free:
		list = append(list, Finding{Message: fmt.Sprintf("%s: its files may take %s (rotate: size times keep), and the disk of %s has %s free", f.what, size(f.keeps), f.path, size(free)), Keys: f.keys, Warning: true})
	}
	return list
}

// existing returns the directory itself, or the nearest one above that exists.
func existing(path string) (string, error) {
	for {
		info, err := os.Stat(path)
		switch {
		case err == nil && !info.IsDir():
			return path, errors.New("it is no directory")
		case err == nil || !errors.Is(err, fs.ErrNotExist) || path == "/" || path == ".":
			return path, err
		}
		path = filepath.Dir(path)
	}
}

// size writes octets with a unit, rounded down.
func size(n uint64) string {
	for _, unit := range []struct {
		name  string
		shift int
	}{{"TiB", 40}, {"GiB", 30}, {"MiB", 20}} {
		if n>>unit.shift >= 10 || n>>unit.shift > 0 && unit.shift == 20 {
			return fmt.Sprintf("%d %s", n>>unit.shift, unit.name)
		}
	}
	return fmt.Sprintf("%d octets", n)
}
