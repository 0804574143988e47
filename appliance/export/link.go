package export

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/clearspan/clearspan/appliance/trail"
)

// link carries messages to a receiver. It is for one goroutine. Its octets are counted as
// they are on the way, with all that is around messages.
type link interface {
	add(message []byte) error  // borrows message; it may wait in a buffer
	flush() error              // sends what waits
	end() uint64               // octets behind the last message
	acknowledged() uint64      // octets that the receiver has
	broken() <-chan struct{}   // closed when the receiver is gone; nil: nobody tells
	err() error                // why it is gone
	interrupt(d time.Duration) // ends a write that waits, after d; called concurrently
	close(orderly bool)        // not orderly: what was not acknowledged does not arrive any more
}

var (
	errTooLong = errors.New("message is longer than a datagram")
	errGone    = errors.New("the receiver closed the connection")
)

const (
	connectTimeout = 10 * time.Second
	// silentTimeout is how long a receiver may acknowledge nothing that was sent.
	silentTimeout = 60 * time.Second
	// judgedWithin is how long a receiver may take to refuse our certificate. It says
	// nothing if it takes it, and what is sent meanwhile is acknowledged all the same.
	judgedWithin = 2 * time.Second
	bufferSize   = 256 << 10
)

// open connects to the receiver of s.
func open(ctx context.Context, s *sender) (link, error) {
	ctx, stop := context.WithTimeout(ctx, connectTimeout)
	defer stop()
	switch s.Network {
	case File:
		return openFile(s.Address, s.rotate, s.ended)
	case UDP:
		var d net.Dialer
		conn, err := d.DialContext(ctx, "udp", s.Address)
		if err != nil {
			return nil, err
		}
		return &datagrams{conn: conn}, nil
	}
	return openStream(ctx, s.Address, s.tls)
}

// stream is a TCP connection, with TLS or without.
type stream struct {
	below *counted
	top   io.Writer // below, or TLS on it
	tls   *tls.Conn // may be nil

	gone chan struct{}
	why  error // set before gone is closed
}

func openStream(ctx context.Context, address string, config *tls.Config) (link, error) {
	d := net.Dialer{KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 5 * time.Second, Count: 4}}
	d.SetMultipathTCP(false)
	conn, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	tcp := conn.(*net.TCPConn)
	if raw, err := tcp.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) { // without it, the kernel takes longer
			_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(silentTimeout.Milliseconds()))
		})
	}
	l := &stream{below: newCounted(tcp), gone: make(chan struct{})}
	l.top = l.below
	asked := false // for our certificate
	if config != nil {
		l.tls = tls.Client(l.below, noting(config, &asked))
		if err := l.tls.HandshakeContext(ctx); err != nil {
			conn.Close()
			return nil, err
		}
		l.top = l.tls
	}
	l.below.hold()
	go l.watch()
	if asked {
		if err := l.judged(ctx); err != nil {
			l.close(false)
			return nil, err
		}
	}
	return l, nil
}

// noting is config, and notes whether the receiver asks for a certificate.
func noting(config *tls.Config, asked *bool) *tls.Config {
	c := config.Clone()
	c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		*asked = true
		if len(config.Certificates) == 0 {
			return new(tls.Certificate), nil // none
		}
		return &config.Certificates[0], nil
	}
	return c
}

// judged waits for the receiver to refuse what it was shown. In TLS 1.3 the handshake ends
// before it can (RFC 8446, Section 4.4.2.4), and rsyslog looks at names after any handshake.
func (l *stream) judged(ctx context.Context) error {
	after := time.NewTimer(judgedWithin)
	defer after.Stop()
	select {
	case <-l.gone:
		return fmt.Errorf("the receiver asked for a certificate and closed the connection: %w", l.why)
	case <-ctx.Done():
		return ctx.Err()
	case <-after.C:
		return nil
	}
}

// watch reads until the receiver is gone. A receiver of syslog sends nothing.
func (l *stream) watch() {
	var from io.Reader = l.below
	if l.tls != nil {
		from = l.tls
	}
	if _, err := io.Copy(io.Discard, from); err != nil {
		l.why = err
	} else {
		l.why = errGone
	}
	close(l.gone)
}

// add implements link: octet counting, MSG-LEN SP MSG (RFC 6587, Section 3.4.1). By TLS,
// a message is a record of its own, so that its end is known in the octets below.
func (l *stream) add(message []byte) error {
	frame := make([]byte, 0, len(message)+12)
	frame = strconv.AppendInt(frame, int64(len(message)), 10)
	frame = append(append(frame, ' '), message...)
	_, err := l.top.Write(frame)
	return err
}

func (l *stream) flush() error            { return l.below.flush() }
func (l *stream) end() uint64             { return l.below.end() }
func (l *stream) acknowledged() uint64    { return l.below.acknowledged() }
func (l *stream) broken() <-chan struct{} { return l.gone }
func (l *stream) err() error              { return l.why }

func (l *stream) interrupt(d time.Duration) { l.below.SetWriteDeadline(time.Now().Add(d)) }

func (l *stream) close(orderly bool) {
	if !orderly {
		l.below.TCPConn.SetLinger(0)
	} else if l.tls != nil {
		l.tls.CloseWrite()
		l.below.flush()
	}
	l.below.Close()
	<-l.gone
}

// counted is a connection that counts the octets it was given, and knows which of them the
// peer has acknowledged.
type counted struct {
	*net.TCPConn

	mu    sync.Mutex // TLS writes as an answer to what it reads, too
	buf   *bufio.Writer
	holds bool   // octets wait for flush
	total uint64 // octets given
	acked uint64
}

func newCounted(conn *net.TCPConn) *counted {
	return &counted{TCPConn: conn, buf: bufio.NewWriterSize(conn, bufferSize)}
}

// hold has octets wait for flush from now on.
func (c *counted) hold() {
	c.mu.Lock()
	c.holds = true
	c.mu.Unlock()
}

// Write implements [net.Conn].
func (c *counted) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n, err := c.buf.Write(p)
	c.total += uint64(n)
	if err == nil && !c.holds {
		err = c.buf.Flush()
	}
	return n, err
}

func (c *counted) flush() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.buf.Flush()
}

func (c *counted) end() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.total
}

// acknowledged returns what is neither in the buffer nor in the queue of the socket
// (SIOCOUTQ, see tcp(7)): what the peer's kernel has acknowledged.
func (c *counted) acknowledged() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	raw, err := c.TCPConn.SyscallConn()
	if err != nil {
		return c.acked
	}
	_ = raw.Control(func(fd uintptr) {
		if queued, err := unix.IoctlGetInt(int(fd), unix.SIOCOUTQ); err == nil {
			if sent := c.total - uint64(c.buf.Buffered()); sent >= uint64(queued) {
				c.acked = max(c.acked, sent-uint64(queued))
			}
		}
	})
	return c.acked
}

// datagrams is a UDP socket: one message each (RFC 5426, Section 3.1).
type datagrams struct {
	conn net.Conn
	sent uint64 // messages
}

func (l *datagrams) add(message []byte) error {
	_, err := l.conn.Write(message)
	if errors.Is(err, syscall.EMSGSIZE) {
		return errTooLong
	}
	if err == nil {
		l.sent++
	}
	return err
}

func (l *datagrams) flush() error            { return nil }
func (l *datagrams) end() uint64             { return l.sent }
func (l *datagrams) acknowledged() uint64    { return l.sent }
func (l *datagrams) broken() <-chan struct{} { return nil }
func (l *datagrams) err() error              { return nil }
func (l *datagrams) interrupt(time.Duration) {}
func (l *datagrams) close(bool)              { l.conn.Close() }

// lines is a file of entries, which ends like the audit log.
type lines struct {
	out  io.WriteCloser
	buf  []byte
	sent uint64 // octets
}

func openFile(path string, o trail.Options, ended func()) (link, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	out, err := trail.Open(path, o, trail.Events{Ended: ended})
	if err != nil {
		return nil, err
	}
	return &lines{out: out}, nil
}

func (l *lines) add(message []byte) error {
	l.buf = append(append(l.buf, message...), '\n')
	return nil
}

// flush writes whole lines. If the disk is full, the rest of a line comes first when the
// file is open again: it is written as a whole then, behind what is there of it.
func (l *lines) flush() error {
	if len(l.buf) == 0 {
		return nil
	}
	n, err := l.out.Write(l.buf)
	l.sent += uint64(n)
	l.buf = l.buf[:copy(l.buf, l.buf[n:])]
	return err
}

func (l *lines) end() uint64             { return l.sent + uint64(len(l.buf)) }
func (l *lines) acknowledged() uint64    { return l.sent }
func (l *lines) broken() <-chan struct{} { return nil }
func (l *lines) err() error              { return nil }
func (l *lines) interrupt(time.Duration) {}
func (l *lines) close(bool)              { l.out.Close() }
