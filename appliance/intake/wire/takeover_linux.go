package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ipv6Transparent is IPV6_TRANSPARENT.
const ipv6Transparent = 75

// opener makes a socket in the namespace, as [netspace.Room.Socket] does.
type opener func(family, kind, protocol int) (fd int, err error)

// transparentSocket opens a TCP socket that bears the address local and sends by
// the leg of that index. The caller closes it.
func transparentSocket(open opener, local netip.AddrPort, leg int) (fd int, err error) {
	family := unix.AF_INET
	if local.Addr().Is6() {
		family = unix.AF_INET6
	}
	if fd, err = open(family, unix.SOCK_STREAM, unix.IPPROTO_TCP); err != nil {
		return -1, fmt.Errorf("open socket: %w", err)
	}
	if err := prepareSocket(fd, family, leg); err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// prepareSocket sets what both listeners and legs need.
func prepareSocket(fd, family, leg int) error {
	level, option := unix.SOL_IP, unix.IP_TRANSPARENT
	if family == unix.AF_INET6 {
		level, option = unix.SOL_IPV6, ipv6Transparent
	}
	err := errors.Join(
		unix.SetsockoptInt(fd, level, option, 1),
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1),
	)
	if leg >= 0 {
		err = errors.Join(err,
			unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_MARK, int(legMark(leg))),
			unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1),
			unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1),
			unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, 60),
			unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, 15),
			unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPCNT, 4),
		)
	}
	if err != nil {
		return fmt.Errorf("set options of socket: %w", err)
	}
	return nil
}

func sockaddr(a netip.AddrPort) unix.Sockaddr {
	if a.Addr().Is4() {
		return &unix.SockaddrInet4{Port: int(a.Port()), Addr: a.Addr().As4()}
	}
	return &unix.SockaddrInet6{Port: int(a.Port()), Addr: a.Addr().As16()}
}

// tcpConn hands a connected socket to the runtime, which owns it then.
func tcpConn(fd int) (*net.TCPConn, error) {
	f := os.NewFile(uintptr(fd), "")
	defer f.Close()
	conn, err := net.FileConn(f)
	if err != nil {
		return nil, fmt.Errorf("adopt socket: %w", err)
	}
	return conn.(*net.TCPConn), nil
}

// endpoint is the state of one end of a connection that exists already.
type endpoint struct {
	local, remote netip.AddrPort
	leg           int // its packets leave by

	sent, received     uint32 // next sequence numbers
	peerMSS            uint16
	peerScale, scale   uint8 // of windows that the peer, we announce
	hasScale, sack     bool
	timestamp          bool
	tsval              uint32 // to be continued
	peerWindow, window uint32 // in octets, as announced last by the peer, for us
}

// Words of the kernel's interface, linux/tcp.h.
const (
	repairOn        = 1
	repairOffSilent = -1
	queueNone       = 0
	queueReceive    = 1
	queueSend       = 2
)

// repairOption is struct tcp_repair_opt.
type repairOption struct{ code, value uint32 }

// repairWindow is struct tcp_repair_window.
type repairWindow struct{ sndWL1, sndWnd, maxWindow, rcvWnd, rcvWup uint32 }

// restore makes a socket of an end, in ESTABLISHED, without a packet. It fails
// with EADDRNOTAVAIL if a socket of the same addresses exists. Until it is
// released, also closing it sends nothing.
func restore(open opener, e *endpoint) (fd int, err error) {
	if fd, err = transparentSocket(open, e.local, e.leg); err != nil {
		return -1, err
	}
	defer func() {
		if err != nil {
			unix.Close(fd)
		}
	}()
	set := func(option, value int) {
		if err == nil {
			err = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, option, value)
		}
	}
	set(unix.TCP_REPAIR, repairOn)
	set(unix.TCP_REPAIR_QUEUE, queueSend)
	set(unix.TCP_QUEUE_SEQ, int(int32(e.sent)))
	set(unix.TCP_REPAIR_QUEUE, queueReceive)
	set(unix.TCP_QUEUE_SEQ, int(int32(e.received)))
	if err == nil {
		err = unix.Bind(fd, sockaddr(e.local))
	}
	if err == nil {
		err = unix.Connect(fd, sockaddr(e.remote))
	}
	if err != nil {
		return -1, fmt.Errorf("restore connection: %w", err)
	}
	agreed := []repairOption{{optionMSS, uint32(e.peerMSS)}}
	if e.hasScale {
		agreed = append(agreed, repairOption{optionScale, uint32(e.peerScale) | uint32(e.scale)<<16})
	}
	if e.sack {
		agreed = append(agreed, repairOption{optionSACK, 0})
	}
	if e.timestamp {
		agreed = append(agreed, repairOption{optionTimestamp, 0})
	}
	b := unsafe.Slice((*byte)(unsafe.Pointer(&agreed[0])), len(agreed)*int(unsafe.Sizeof(agreed[0])))
	err = unix.SetsockoptString(fd, unix.IPPROTO_TCP, unix.TCP_REPAIR_OPTIONS, string(b))
	if e.timestamp {
		// Bit 0 would select a clock of microseconds.
		set(unix.TCP_TIMESTAMP, int(int32((e.tsval+1)&^1)))
	}
	if err == nil {
		err = setWindow(fd, e)
	}
	set(unix.TCP_REPAIR_QUEUE, queueNone)
	if err != nil {
		return -1, fmt.Errorf("restore options of connection: %w", err)
	}
	return fd, nil
}

func setWindow(fd int, e *endpoint) error {
	w := repairWindow{
		sndWL1: e.received - 1, // the peer's next segment updates its window
		sndWnd: e.peerWindow, maxWindow: e.peerWindow,
		rcvWnd: e.window, rcvWup: e.received,
	}
	var b [unsafe.Sizeof(w)]byte
	for i, v := range []uint32{w.sndWL1, w.sndWnd, w.maxWindow, w.rcvWnd, w.rcvWup} {
		binary.NativeEndian.PutUint32(b[4*i:], v)
	}
	return unix.SetsockoptString(fd, unix.IPPROTO_TCP, unix.TCP_REPAIR_WINDOW, string(b[:]))
}

// release lets a restored connection live.
func release(fd int) error {
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_REPAIR, repairOffSilent); err != nil {
		return fmt.Errorf("release connection: %w", err)
	}
	return nil
}

var (
	errUnsettled = errors.New("octets of the origin are under way")
	errEnded     = errors.New("the origin has ended the connection")
	errExotic    = errors.New("options that cannot be taken over")
)

// endpoints works out both ends of a held flow: ours towards the client, in the
// origin's name, and the other way round. first is the first frame held.
func endpoints(t kernelTuple, f *kernelFlow, first *frame) (client, origin endpoint, err error) {
	out, back := &f.Sides[toOrigin], &f.Sides[toClient]
	c, o := f.options()
	if o.exotic {
		return client, origin, errExotic
	}
	acked := out.Acked
	window := uint32(first.window)
	if int32(first.ack-acked) > 0 {
		acked = first.ack
	}
	if acked != back.Next {
		return client, origin, errUnsettled
	}
	scaled := c.hasScale && o.hasScale
	if !scaled {
		c.scale, o.scale = 0, 0
	}
	fromClient := window << c.scale
	fromOrigin := back.Window
	if back.Scaled != 0 {
		fromOrigin <<= o.scale
	}
	clientTime, originTime := out.Tsval, back.Tsval
	if t := first.timestamp(); int32(t-clientTime) > 0 || clientTime == 0 {
		clientTime = t
	}
	if originTime == 0 {
		originTime = o.tsval
	}
	client = endpoint{
		local: t.origin(), remote: t.client(), leg: int(f.Leg),
		sent: back.Next, received: out.Next,
		peerMSS: mssOr(c.mss), peerScale: c.scale, scale: o.scale,
		hasScale: scaled, sack: c.sack && o.sack, timestamp: c.timestamp && o.timestamp,
		tsval: originTime, peerWindow: fromClient, window: fromOrigin,
	}
	origin = endpoint{
		local: t.client(), remote: t.origin(), leg: 1 - int(f.Leg),
		sent: out.Next, received: back.Next,
		peerMSS: mssOr(o.mss), peerScale: o.scale, scale: c.scale,
		hasScale: scaled, sack: c.sack && o.sack, timestamp: c.timestamp && o.timestamp,
		tsval: clientTime, peerWindow: fromOrigin, window: fromClient,
	}
	return client, origin, nil
}

// mssOr returns what an end that names no MSS accepts (RFC 9293, Section 3.7.1).
func mssOr(mss uint16) uint16 {
	if mss == 0 {
		return 536
	}
	return mss
}

// closeSilently closes a restored connection of which the peer must not hear.
func closeSilently(fd int) {
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_REPAIR, repairOn) // may be on still
	unix.Close(fd)
}
