package wirefuzz

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/clearspan/clearspan/hack/netlab"
)

// Ports of the origin.
const (
	webPort  = 443
	mailPort = 25 // the origin speaks first
)

// receiver is the application of a plain origin: it keeps what its connections
// receive, by client.
type receiver struct {
	listeners []net.Listener
	all       sync.WaitGroup

	mu    sync.Mutex
	conns map[netip.AddrPort][]*received
	ended bool
}

// received is what one connection received.
type received struct {
	conn   *net.TCPConn
	mu     sync.Mutex
	octets []byte
}

// minTTL is the TTL that the origin asks for at least: as if a router were before it,
// where packets with less end.
const minTTL = 2

// listen makes the receiver: Linux sockets with TCP Fast Open.
func listen(ns *netlab.Namespace) (*receiver, error) {
	r := &receiver{conns: make(map[netip.AddrPort][]*received)}
	lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var err error
		control := c.Control(func(fd uintptr) {
			const ipv6MinHopCount = 73
			err = errors.Join(
				unix.SetsockoptInt(int(fd), unix.SOL_IP, unix.IP_MINTTL, minTTL),
				unix.SetsockoptInt(int(fd), unix.SOL_IPV6, ipv6MinHopCount, minTTL),
				unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_FASTOPEN, 256),
			)
		})
		return errors.Join(control, err)
	}}
	lc.SetMultipathTCP(false)
	for port, address := range map[int]string{webPort: ":443", mailPort: ":25"} {
		var l net.Listener
		err := ns.Do(func() (err error) {
			l, err = lc.Listen(context.Background(), "tcp", address)
			return err
		})
		if err != nil {
			r.close()
			return nil, err
		}
		r.listeners = append(r.listeners, l)
		r.all.Go(func() { r.accept(l, port == mailPort) })
	}
	return r, nil
}

func (r *receiver) accept(l net.Listener, greets bool) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		conn := &received{conn: c.(*net.TCPConn)}
		conn.conn.SetLinger(0)
		client := c.RemoteAddr().(*net.TCPAddr).AddrPort()
		client = netip.AddrPortFrom(client.Addr().Unmap(), client.Port())
		r.mu.Lock()
		r.conns[client] = append(r.conns[client], conn)
		ended := r.ended
		r.mu.Unlock()
		if ended {
			c.Close()
			continue
		}
		r.all.Go(func() { conn.read(greets) })
	}
}

// read keeps what comes, for as long as a case may last.
func (c *received) read(greets bool) {
	defer c.conn.Close()
	c.conn.SetDeadline(time.Now().Add(caseLimit))
	if greets {
		c.conn.Write([]byte("220 at your service\r\n"))
	}
	buf := make([]byte, 4096)
	for {
		n, err := c.conn.Read(buf)
		c.mu.Lock()
		if room := maxStream - len(c.octets); room > 0 {
			c.octets = append(c.octets, buf[:min(n, room)]...)
		}
		c.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// of returns what the connections of a client received.
func (r *receiver) of(client netip.AddrPort) (all [][]byte) {
	r.mu.Lock()
	conns := r.conns[client]
	r.mu.Unlock()
	for _, c := range conns {
		c.mu.Lock()
		all = append(all, append([]byte(nil), c.octets...))
		c.mu.Unlock()
	}
	return all
}

// finish ends what a client left open.
func (r *receiver) finish(client netip.AddrPort) {
	r.mu.Lock()
	conns := r.conns[client]
	delete(r.conns, client)
	r.mu.Unlock()
	for _, c := range conns {
		c.conn.Close()
	}
}

func (r *receiver) close() {
	for _, l := range r.listeners {
		l.Close()
	}
	r.mu.Lock()
	r.ended = true
	for _, conns := range r.conns {
		for _, c := range conns {
			c.conn.Close()
		}
	}
	r.mu.Unlock()
	r.all.Wait()
}

// caller is the application of a plain client. It connects from an address and a
// port, says text once it is connected, and stays until the context ends.
func caller(ctx context.Context, ns *netlab.Namespace, from, to netip.AddrPort, text []byte) {
	d := net.Dialer{
		LocalAddr: net.TCPAddrFromAddrPort(from),
		Control: func(_, _ string, c syscall.RawConn) error {
			return c.Control(func(fd uintptr) {
				unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
			})
		},
	}
	d.SetMultipathTCP(false)
	var conn net.Conn
	err := ns.Do(func() (err error) {
		conn, err = d.DialContext(ctx, "tcp", to.String())
		return err
	})
	if err != nil {
		return
	}
	defer conn.Close()
	conn.(*net.TCPConn).SetLinger(0)
	conn.SetDeadline(time.Now().Add(caseLimit))
	if _, err := conn.Write(text); err == nil {
		<-ctx.Done()
	}
}
