package role

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

const (
	headOctets = 4
	// maxMessage bounds a message, without its descriptors. Configurations are no part
	// of it.
	maxMessage = 256 << 10
	// maxFiles bounds the descriptors beside a message.
	maxFiles = 4096
	// filesAtOnce is how many descriptors go with one system call; the kernel takes 253
	// (SCM_MAX_FD).
	filesAtOnce = 200
)

// Conn carries messages over a Unix stream socket. One goroutine may receive while others
// send.
type Conn struct {
	socket   *net.UnixConn
	fromRole bool // what is received comes from a role

	sending sync.Mutex
	in      receiver
}

// NewConn takes a socket. fromRole says that the other end is a role.
func NewConn(socket *net.UnixConn, fromRole bool) *Conn {
	c := &Conn{socket: socket, fromRole: fromRole}
	c.in.read, c.in.resume = c.readSocket, c.Resume
	return c
}

// Pair returns the two ends of a new connection: one for this process, and a file for
// the other.
func Pair() (keeper *Conn, role *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("make socket pair: %w", err)
	}
	role = os.NewFile(uintptr(fds[1]), "role")
	socket, err := fileConn(os.NewFile(uintptr(fds[0]), "keeper"))
	if err != nil {
		role.Close()
		return nil, nil, err
	}
	return NewConn(socket, true), role, nil
}

// fileConn turns a file that is a Unix socket into a connection, and closes the file.
func fileConn(f *os.File) (*net.UnixConn, error) {
	defer f.Close()
	conn, err := net.FileConn(f)
	if err != nil {
		return nil, fmt.Errorf("use socket pair: %w", err)
	}
	socket, ok := conn.(*net.UnixConn)
	if !ok {
		conn.Close()
		return nil, errors.New("use socket pair: no Unix socket")
	}
	return socket, nil
}

// ErrPaused is returned by [Conn.Receive] after Pause.
var ErrPaused = errors.New("connection is paused")

// Pause has Receive return ErrPaused at the next end of a message.
func (c *Conn) Pause() { c.socket.SetReadDeadline(time.Unix(1, 0)) }

// Resume ends a pause. Call it when Receive has returned.
func (c *Conn) Resume() { c.socket.SetReadDeadline(time.Time{}) }

// Close ends the connection.
func (c *Conn) Close() error { return c.socket.Close() }

// File returns a copy of the socket, for another program in the place of this one.
func (c *Conn) File() (*os.File, error) { return c.socket.File() }

// Send sends a message with descriptors, whose names m.Files holds. It borrows files.
func (c *Conn) Send(m *Message, files ...*os.File) error {
	body, err := json.Marshal(m)
	if err == nil && len(body) > maxMessage {
		err = fmt.Errorf("%d octets", len(body))
	}
	if err != nil {
		return fmt.Errorf("encode message: %w", err)
	}
	octets := append(binary.BigEndian.AppendUint32(make([]byte, 0, headOctets+len(body)), uint32(len(body))), body...)
	c.sending.Lock()
	defer c.sending.Unlock()
	// Descriptors go with the first octets, one for each system call that is needed.
	for {
		batch := files[:min(len(files), filesAtOnce)]
		files = files[len(batch):]
		part := octets
		if len(files) > 0 {
			part = octets[:1]
		}
		if err := c.write(part, batch); err != nil {
			return fmt.Errorf("send %s: %w", m.Kind, err)
		}
		if octets = octets[len(part):]; len(octets) == 0 {
			return nil
		}
	}
}

// write writes octets with descriptors beside the first one.
func (c *Conn) write(octets []byte, files []*os.File) error {
	var rights []byte
	if len(files) > 0 {
		fds := make([]int, len(files))
		for i, f := range files {
			fd, err := Descriptor(f)
			if err != nil {
				return err
			}
			fds[i] = fd
		}
		rights = unix.UnixRights(fds...)
	}
	n, _, err := c.socket.WriteMsgUnix(octets, rights, nil)
	for err == nil && n < len(octets) {
		octets = octets[n:]
		n, err = c.socket.Write(octets)
	}
	return err
}

// Receive waits for a message. The caller owns the descriptors that it has, in the order
// of Files. io.EOF says that the other end is gone. After any error, the connection is
// of no use.
func (c *Conn) Receive() (*Message, []*os.File, error) {
	m, files, err := c.in.next()
	if errors.Is(err, ErrPaused) {
		return nil, nil, err
	}
	if err == nil {
		err = m.check(c.fromRole)
	}
	if err == nil && c.fromRole && len(files) > 0 {
		err = fmt.Errorf("descriptors of a role: message %w", errContract)
	}
	if err != nil {
		closeFiles(files)
		c.in.discard()
		return nil, nil, err
	}
	return m, files, nil
}

// readSocket reads octets and descriptors.
func (c *Conn) readSocket(p []byte) (int, []*os.File, error) {
	rights := make([]byte, unix.CmsgSpace(4*filesAtOnce))
	n, beside, flags, _, err := c.socket.ReadMsgUnix(p, rights)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return 0, nil, ErrPaused
	}
	if err != nil {
		return 0, nil, err
	}
	files := filesOf(rights[:beside])
	if flags&unix.MSG_CTRUNC != 0 {
		closeFiles(files)
		return 0, nil, fmt.Errorf("descriptors were cut: message %w", errContract)
	}
	if n == 0 {
		closeFiles(files)
		return 0, nil, io.EOF
	}
	return n, files, nil
}

// filesOf returns the descriptors of control messages.
func filesOf(control []byte) (files []*os.File) {
	messages, err := unix.ParseSocketControlMessage(control)
	if err != nil {
		return nil
	}
	for _, m := range messages {
		fds, err := unix.ParseUnixRights(&m)
		if err != nil {
			continue // no descriptors
		}
		for _, fd := range fds {
			unix.CloseOnExec(fd)
			files = append(files, os.NewFile(uintptr(fd), "inherited"))
		}
	}
	return files
}

// Descriptor returns the number of f's descriptor, and leaves it as it is: [os.File.Fd]
// has those of sockets block, for every process that shares them.
func Descriptor(f *os.File) (fd int, err error) {
	raw, err := f.SyscallConn()
	if err == nil {
		err = raw.Control(func(number uintptr) { fd = int(number) })
	}
	if err != nil {
		return -1, fmt.Errorf("use descriptor: %w", err)
	}
	return fd, nil
}

func closeFiles(files []*os.File) {
	for _, f := range files {
		f.Close()
	}
}

// receiver puts messages together.
type receiver struct {
	read    func(p []byte) (int, []*os.File, error)
	resume  func()     // ends a pause
	pausing bool       // a pause is due at the end of the message
	waiting []*os.File // came, and belong to the message that is read
}

// next reads one message with its descriptors.
func (r *receiver) next() (*Message, []*os.File, error) {
	if r.pausing {
		r.pausing = false
		return nil, nil, ErrPaused
	}
	var head [headOctets]byte
	if err := r.fill(head[:], true); err != nil {
		return nil, nil, err
	}
	n := binary.BigEndian.Uint32(head[:])
	if n > maxMessage {
		return nil, nil, fmt.Errorf("message of %d octets %w", n, errContract)
	}
	body := make([]byte, n)
	if err := r.fill(body, false); err != nil {
		return nil, nil, err
	}
	m := new(Message)
	if err := json.Unmarshal(body, m); err != nil {
		return nil, nil, fmt.Errorf("message %w: %w", errContract, err)
	}
	files := r.waiting
	r.waiting = nil
	count := 0
	for _, d := range m.Files {
		if d.Count < 0 || d.Count > maxFiles {
			count = -1
			break
		}
		count += d.Count
	}
	if count != len(files) {
		return nil, files, fmt.Errorf("message with %d descriptors %w", len(files), errContract)
	}
	return m, files, nil
}

// fill reads all of p. The end of the stream is io.EOF before the first octet of a
// message, else io.ErrUnexpectedEOF.
func (r *receiver) fill(p []byte, first bool) error {
	for at := 0; at < len(p); {
		n, files, err := r.read(p[at:])
		r.waiting = append(r.waiting, files...)
		inside := at > 0 || !first
		switch {
		case errors.Is(err, ErrPaused) && inside:
			r.resume()
			r.pausing = true
			continue
		case errors.Is(err, io.EOF) && inside:
			return io.ErrUnexpectedEOF
		case err != nil:
			return err
		}
		if len(r.waiting) > maxFiles {
			return fmt.Errorf("more than %d descriptors: message %w", maxFiles, errContract)
		}
		at += n
	}
	return nil
}

// discard closes descriptors that no message has.
func (r *receiver) discard() {
	closeFiles(r.waiting)
	r.waiting = nil
}
