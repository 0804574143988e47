package icap

import (
	"bufio"
	"context"
	"crypto/tls"
	"net"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	readBuffer = 64 << 10         // octets, a connection
	idleLimit  = 30 * time.Second // that a connection is kept without use
)

// conn is a connection to a server, for one request at a time.
type conn struct {
	net.Conn
	raw    net.Conn // below TLS
	br     *bufio.Reader
	reused bool      // it has served a request
	since  time.Time // when it was put aside
}

// dial opens a connection within the time-out.
func (s *server) dial(ctx context.Context) (*conn, error) {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	defer cancel()
	raw, err := s.cfg.Dial(ctx, "tcp", s.address)
	if err != nil {
		return nil, err
	}
	c := &conn{Conn: raw, raw: raw}
	if s.tls {
		config := s.cfg.TLS.Clone()
		if config.ServerName == "" {
			config.ServerName = s.name
		}
		secured := tls.Client(raw, config)
		if err := secured.HandshakeContext(ctx); err != nil {
			raw.Close()
			return nil, err
		}
		c.Conn = secured
	}
	c.br = bufio.NewReaderSize(c.Conn, readBuffer)
	return c, nil
}

// usable reports whether a connection that was put aside is as it was left: open,
// and nothing came over it.
func (c *conn) usable() bool {
	if c.br.Buffered() > 0 {
		return false
	}
	sc, ok := c.raw.(syscall.Conn)
	if !ok {
		return true
	}
	rc, err := sc.SyscallConn()
	if err != nil {
		return false
	}
	quiet := false
	err = rc.Read(func(fd uintptr) bool {
		var one [1]byte
		_, _, err := unix.Recvfrom(int(fd), one[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
		quiet = err == unix.EAGAIN
		return true
	})
	return err == nil && quiet
}
