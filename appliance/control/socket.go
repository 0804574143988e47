package control

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// SocketName is the name of the socket in its directory.
const SocketName = "control.sock"

// DefaultState is the state directory of a start as root. The box that has it has its
// socket in runDir, where the group reaches it.
const DefaultState = "/var/lib/clearspan"

const runDir = "/run/clearspan"

// Paths are the places of the control socket of a box with a state directory, in the
// order in which clients try them. The box listens at the last one where it can.
func Paths(state string) []string {
	own := filepath.Join(state, SocketName)
	if filepath.Clean(state) == DefaultState {
		return []string{own, filepath.Join(runDir, SocketName)}
	}
	return []string{own}
}

// ErrInUse is returned by [Listen] if a process answers at the socket.
var ErrInUse = errors.New("another process listens there")

// Socket is a control socket that is listened on. Its file is removed by Close.
type Socket struct {
	*net.UnixListener
	path string
	file os.FileInfo
}

// Listen opens the control socket of a box with a state directory. If the place in
// /run cannot be used, or is another box's, the socket is in the state directory.
func Listen(state string) (*Socket, error) {
	paths := Paths(state)
	var errs []error
	for i := len(paths) - 1; i >= 0; i-- {
		s, err := listenAt(paths[i], groupID())
		if err == nil {
			return s, nil
		}
		errs = append(errs, err)
	}
	return nil, errs[len(errs)-1]
}

// Remove removes the sockets of a box with a state directory that nobody listens on.
func Remove(state string) error {
	var errs []error
	for _, path := range Paths(state) {
		dir, err := openDir(filepath.Dir(path))
		if err != nil {
			continue // there is none
		}
		if err := (&Socket{path: path}).removeStale(dir); err != nil && !errors.Is(err, ErrInUse) {
			errs = append(errs, fmt.Errorf("remove control socket %s: %w", path, err))
		}
		dir.Close()
	}
	return errors.Join(errs...)
}

// listenAt listens at a path. What a process that was killed has left there is replaced.
// The directory is locked meanwhile, so that two processes cannot both find a stale file.
func listenAt(path string, group int) (*Socket, error) {
	dir, err := openDir(filepath.Dir(path))
	if err != nil {
		return nil, fmt.Errorf("listen on control socket %s: %w", path, err)
	}
	defer dir.Close()
	if err := unix.Flock(int(dir.Fd()), unix.LOCK_EX); err != nil {
		return nil, fmt.Errorf("listen on control socket %s: lock its directory: %w", path, err)
	}
	s := &Socket{path: path}
	err = s.removeStale(dir)
	if err == nil {
		err = s.listen(dir, group)
	}
	if err != nil {
		return nil, fmt.Errorf("listen on control socket %s: %w", path, err)
	}
	return s, nil
}

// openDir opens a directory. The one in /run is made if need be, and everybody may go
// there, whatever the umask is.
func openDir(path string) (*os.File, error) {
	if path == runDir {
		if err := os.Mkdir(path, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, err
		}
	}
	dir, err := os.OpenFile(path, os.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil || path != runDir {
		return dir, err
	}
	if err := dir.Chmod(0o755); err != nil && !errors.Is(err, fs.ErrPermission) { // another user's, as systemd made it
		dir.Close()
		return nil, err
	}
	return dir, nil
}

// short names a file in an open directory by a path that fits into a socket's address,
// which takes 107 octets (unix(7)).
func short(dir *os.File, name string) string {
	return filepath.Join("/proc/self/fd", strconv.Itoa(int(dir.Fd())), name)
}

// removeStale removes the socket if nobody listens on it.
func (s *Socket) removeStale(dir *os.File) error {
	name := filepath.Base(s.path)
	info, err := os.Lstat(short(dir, name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode().Type() != fs.ModeSocket {
		return errors.New("there is a file of another kind")
	}
	conn, err := net.DialTimeout("unix", short(dir, name), time.Second)
	if err == nil {
		conn.Close()
		return ErrInUse
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return err
	}
	return os.Remove(short(dir, name))
}

// listen binds the socket. It is nobody else's until its group is set.
func (s *Socket) listen(dir *os.File, group int) error {
	closed := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) (err error) {
		if asked := raw.Control(func(fd uintptr) { err = unix.Fchmod(int(fd), 0o600) }); asked != nil {
			return asked
		}
		return err
	}}
	at := short(dir, filepath.Base(s.path))
	l, err := closed.Listen(context.Background(), "unix", at)
	if err != nil {
		return err
	}
	s.UnixListener = l.(*net.UnixListener)
	s.SetUnlinkOnClose(false) // its path is of this moment
	if s.file, err = os.Lstat(at); err != nil {
		return errors.Join(err, s.UnixListener.Close())
	}
	if group >= 0 {
		// A user who is not of the group keeps the socket to himself.
		if err := os.Lchown(at, -1, group); err != nil && !errors.Is(err, fs.ErrPermission) {
			return errors.Join(err, s.Close())
		}
	}
	if err := os.Chmod(at, 0o660); err != nil {
		return errors.Join(err, s.Close())
	}
	return nil
}

// Path returns where the socket is.
func (s *Socket) Path() string { return s.path }

// Close ends listening and removes the file, unless another one has taken its place. A
// process that has become another user may not remove it from /run: nobody listens on
// it then, and the next start takes its place.
func (s *Socket) Close() error {
	err := s.UnixListener.Close()
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	if now, found := os.Lstat(s.path); found == nil && os.SameFile(now, s.file) {
		if gone := os.Remove(s.path); gone != nil && !errors.Is(gone, fs.ErrPermission) && !errors.Is(gone, fs.ErrNotExist) {
			err = errors.Join(err, gone)
		}
	}
	return err
}
