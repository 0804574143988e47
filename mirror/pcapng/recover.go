package pcapng

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Why a leftover is left alone.
var (
	errNotPcapng = errors.New("does not begin as a pcapng file")
	errInUse     = errors.New("in use by another sink")
)

// recover deals with the partial files that an earlier run left behind when it
// was killed. One that cannot be dealt with is logged and left as it is; the
// error is only that of reading the directory.
func (st *store) recover() error {
	names, err := st.list(partial)
	if err != nil {
		return fmt.Errorf("read capture directory: %w", err)
	}
	for _, name := range names {
		path := filepath.Join(st.directory, name)
		packets, err := recoverFile(path)
		switch {
		case errors.Is(err, errInUse):
			st.log.Info("capture file of another process left alone", "file", path+partial)
		case err != nil:
			st.log.Warn("capture file of an earlier run not recovered", "file", path+partial, "err", err)
		case packets == 0:
			st.log.Info("empty capture file of an earlier run removed", "file", path+partial)
		default:
			st.log.Info("capture file of an earlier run completed", "file", path, "packets", packets)
		}
	}
	return nil
}

// recoverFile completes the partial file of path and returns how many blocks of
// packets or secrets it holds, or removes it if that is none.
func recoverFile(path string) (packets int, err error) {
	file, err := os.OpenFile(path+partial, os.O_RDWR, 0)
	if err != nil {
		return 0, err
	}
	defer file.Close()
	if err := lock(file); errors.Is(err, unix.EWOULDBLOCK) {
		return 0, errInUse
	} else if err != nil {
		return 0, fmt.Errorf("lock: %w", err)
	}
	info, err := file.Stat()
	if err != nil {
		return 0, err
	}
	end, packets, err := scan(file)
	switch {
	case err != nil:
		return 0, err
	case end == 0 && info.Size() > 0:
		return 0, errNotPcapng
	case packets == 0:
		return 0, os.Remove(path + partial)
	}
	if err := file.Truncate(end); err != nil {
		return 0, err
	}
	return packets, rename(path)
}
