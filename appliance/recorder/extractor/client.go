package extractor

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/clearspan/clearspan/appliance/recorder/extract"
)

var (
	// ErrEnded says that the reader ended before the file did. A file may be the cause.
	ErrEnded = errors.New("the extractor ended")
	// ErrDeadline says that a file took too long, and that its reader was killed.
	ErrDeadline = errors.New("the extractor took too long")
	// ErrGone says that there is no reader any more, and that none will come.
	ErrGone = errors.New("the extractor is gone")
)

// Options are those of [Start]. Only the command is needed.
type Options struct {
	Command []string      // calls [Main], with its arguments
	User    string        // whom the process becomes if this one is root; "": as [privilege.FindUser] says
	File    time.Duration // of waiting for one file; default 30 s
}

// Handler takes what is found in a file, as an [extract.Handler] does.
type Handler interface {
	Text(place string, text []byte)
	Note(place string, n extract.Note, text string)
	Label(place, label string)
	// Hashed tells of a file of an archive, and of its SHA-256.
	Hashed(place string, sum [32]byte, size uint64)
}

// Extractor is one that is started. Its methods may be called at once; files are read one
// after the other.
type Extractor struct {
	file    time.Duration
	command *exec.Cmd
	data    *net.UnixConn
	control *os.File
	buf     []byte

	mu     sync.Mutex
	reader uint32 // number of the one that is there
	number uint32 // of the last request
	gone   bool
}

// Start starts the processes. It does so before this one is confined.
func Start(o Options) (*Extractor, error) {
	data, theirs, err := pair()
	if err != nil {
		return nil, err
	}
	defer theirs.Close()
	control, warden, err := pair()
	if err != nil {
		return nil, errors.Join(err, data.Close())
	}
	defer warden.Close()
	x := &Extractor{file: o.File, control: control, buf: make([]byte, maxPacket)}
	if x.file <= 0 {
		x.file = 30 * time.Second
	}
	x.command = exec.Command(o.Command[0], o.Command[1:]...)
	x.command.Args[0] = "clearspan"
	x.command.Env = []string{userVariable + "=" + o.User}
	x.command.Dir = "/"
	x.command.ExtraFiles = []*os.File{theirs, warden}
	x.command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a terminal's signals are for this process
	if err := x.command.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("start the extractor: %w", err), data.Close(), control.Close())
	}
	c, err := net.FileConn(data)
	data.Close()
	if err != nil {
		return nil, errors.Join(err, control.Close(), x.command.Wait())
	}
	x.data = c.(*net.UnixConn)
	return x, nil
}

// pair returns both ends of a connection that keeps packets apart.
func pair() (ours, theirs *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("connect the extractor: %w", err)
	}
	return os.NewFile(uintptr(fds[0]), "extractor"), os.NewFile(uintptr(fds[1]), "recorder"), nil
}

// Close ends the processes.
func (x *Extractor) Close() error {
	err := errors.Join(x.data.Close(), x.control.Close())
	x.command.Wait() // how it ended does not matter any more
	return err
}

// File has a file of that size read, and calls h with what is in it. If the error is one of
// this package, h had what was found up to then. Other errors are of the file.
func (x *Extractor) File(ctx context.Context, r io.ReaderAt, size int64, hint extract.Hint, h Handler) error {
	f, err := descriptor(r, size)
	if err != nil {
		return err
	}
	defer f.Close()
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.gone {
		return ErrGone
	}
	x.number++
	if err := x.send(request{x.number, size, hint}, f); err != nil {
		return x.lost()
	}
	a := &answer{h: h}
	defer context.AfterFunc(ctx, func() { x.data.SetReadDeadline(time.Unix(1, 0)) })()
	left := x.file
	for {
		began := time.Now()
		if ctx.Err() == nil {
			x.data.SetReadDeadline(began.Add(left))
		}
		if ctx.Err() != nil {
			return errors.Join(ctx.Err(), x.kill())
		}
		n, err := x.data.Read(x.buf)
		left -= time.Since(began)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded) && ctx.Err() != nil:
			return errors.Join(ctx.Err(), x.kill())
		case errors.Is(err, os.ErrDeadlineExceeded):
			if err := x.kill(); err != nil {
				return err
			}
			return ErrDeadline
		case err != nil || n == 0:
			return x.lost()
		case x.buf[0] == kindEnded:
			x.reader++
			return ErrEnded
		case n < head || binary.BigEndian.Uint32(x.buf[1:]) != x.number:
			continue // of a request that was given up when the reader before this one ended
		}
		done, err := a.take(x.buf[0], x.buf[head:n])
		if errors.Is(err, errMalformed) {
			return errors.Join(ErrEnded, x.kill())
		}
		if done {
			return err
		}
	}
}

// send sends a request and the file.
func (x *Extractor) send(q request, f *os.File) error {
	text, err := json.Marshal(q)
	if err != nil {
		return err
	}
	x.data.SetWriteDeadline(time.Now().Add(patience))
	for ; len(text) >= maxPacket; text = text[maxPacket-1:] {
		if _, err := x.data.Write(append([]byte{kindPart}, text[:maxPacket-1]...)); err != nil {
			return err
		}
	}
	_, _, err = x.data.WriteMsgUnix(append([]byte{kindFile}, text...), unix.UnixRights(int(f.Fd())), nil)
	return err
}

// lost gives the processes up.
func (x *Extractor) lost() error {
	x.gone = true
	return ErrGone
}

// patience bounds the wait for a reader to take a request, and for the end of one.
const patience = 30 * time.Second

// kill has the reader killed, and waits for its end.
func (x *Extractor) kill() error {
	if _, err := x.control.Write(binary.BigEndian.AppendUint32(nil, x.reader)); err != nil {
		return x.lost()
	}
	until := time.Now().Add(patience)
	for time.Now().Before(until) {
		x.data.SetReadDeadline(until)
		n, err := x.data.Read(x.buf)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			continue
		}
		if err != nil || n == 0 {
			break
		}
		if x.buf[0] == kindEnded {
			x.reader++
			return nil
		}
	}
	return x.lost()
}

// descriptor returns a descriptor of a file that can only be read: its own, or one of a copy
// in memory. It is for the caller to close.
func descriptor(r io.ReaderAt, size int64) (*os.File, error) {
	if f, ok := r.(*os.File); ok {
		if flags, err := unix.FcntlInt(f.Fd(), unix.F_GETFL, 0); err == nil && flags&unix.O_ACCMODE == unix.O_RDONLY {
			fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
			if err != nil {
				return nil, err
			}
			return os.NewFile(uintptr(fd), "file"), nil
		}
	}
	fd, err := unix.MemfdCreate("file", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("copy a file for the extractor: %w", err)
	}
	f := os.NewFile(uintptr(fd), "file")
	if _, err := io.Copy(f, io.NewSectionReader(r, 0, size)); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}
