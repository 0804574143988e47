package role

import (
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// MemFile returns a file in memory that holds data and cannot be changed (memfd_create(2)).
func MemFile(name string, data []byte) (*os.File, error) {
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return nil, fmt.Errorf("make file in memory: %w", err)
	}
	f := os.NewFile(uintptr(fd), name)
	if _, err = f.Write(data); err == nil {
		_, err = unix.FcntlInt(f.Fd(), unix.F_ADD_SEALS, unix.F_SEAL_WRITE|unix.F_SEAL_SHRINK|unix.F_SEAL_GROW|unix.F_SEAL_SEAL)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("write file in memory: %w", err)
	}
	return f, nil
}

// maxMemFile bounds a file in memory, in octets.
const maxMemFile = 1 << 30

// ReadMemFile returns what a file in memory holds, wherever its offset is.
func ReadMemFile(f *os.File) ([]byte, error) {
	info, err := f.Stat()
	if err == nil && info.Size() > maxMemFile {
		err = fmt.Errorf("%d octets", info.Size())
	}
	if err != nil {
		return nil, fmt.Errorf("read file in memory: %w", err)
	}
	data := make([]byte, info.Size())
	if _, err := f.ReadAt(data, 0); err != nil && err != io.EOF {
		return nil, fmt.Errorf("read file in memory: %w", err)
	}
	return data, nil
}
