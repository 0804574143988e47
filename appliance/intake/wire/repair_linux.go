package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"
)

// endpoint is the state of one end of a connection that exists already.
type endpoint struct {
	local, remote netip.AddrPort
	leg           int // its packets leave by

	sendNext, receiveNext uint32 // next sequence numbers
	peerMSS               uint16
	peerScale, scale      uint8 // of windows that the peer, we announce
	hasScale, sack        bool
	timestamp             bool
	tsval                 uint32 // to be continued
	peerWindow, window    uint32 // in octets, as announced last by the peer, for us
}

// Words of the kernel's interface, linux/tcp.h.
const (
	repairOn         = 1
	repairOffNoProbe = -1
	queueNone        = 0
	queueReceive     = 1
	queueSend        = 2
)

// repairOption is struct tcp_repair_opt.
type repairOption struct{ code, value uint32 }

// repairWindow is struct tcp_repair_window.
type repairWindow struct{ sndWL1, sndWnd, maxWindow, rcvWnd, rcvWup uint32 }

// restoreSocket makes a socket of an end, in ESTABLISHED, without a packet. It fails
// with EADDRNOTAVAIL if a socket of the same addresses exists. Until
// [endRepair], closing it sends nothing either.
func restoreSocket(open socketFunc, e *endpoint) (fd int, err error) {
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
	set(unix.TCP_QUEUE_SEQ, int(int32(e.sendNext)))
	set(unix.TCP_REPAIR_QUEUE, queueReceive)
	set(unix.TCP_QUEUE_SEQ, int(int32(e.receiveNext)))
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
		sndWL1: e.receiveNext - 1, // the peer's next segment updates its window
		sndWnd: e.peerWindow, maxWindow: e.peerWindow,
		rcvWnd: e.window, rcvWup: e.receiveNext,
	}
	var b [unsafe.Sizeof(w)]byte
	for i, v := range []uint32{w.sndWL1, w.sndWnd, w.maxWindow, w.rcvWnd, w.rcvWup} {
		binary.NativeEndian.PutUint32(b[4*i:], v)
	}
	return unix.SetsockoptString(fd, unix.IPPROTO_TCP, unix.TCP_REPAIR_WINDOW, string(b[:]))
}

// endRepair lets a restored connection live.
func endRepair(fd int) error {
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_REPAIR, repairOffNoProbe); err != nil {
		return fmt.Errorf("release connection: %w", err)
	}
	return nil
}

var (
	errInFlight    = errors.New("octets of the origin are under way")
	errEnded       = errors.New("the origin has ended the connection")
	errUnsupported = errors.New("options that cannot be taken over")
)

// endpoints works out both ends of a held flow: ours towards the client, in the
// origin's name, and the other way round. first is the first frame held.
func endpoints(t kernelTuple, f *kernelFlow, first *frame) (client, origin endpoint, err error) {
	out, back := &f.Sides[toOrigin], &f.Sides[toClient]
	c, o := f.options()
	if o.unsupported {
		return client, origin, errUnsupported
	}
	acked := out.Acked
	window := uint32(first.window)
	if int32(first.ack-acked) > 0 {
		acked = first.ack
	}
	if acked != back.Next {
		return client, origin, errInFlight
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
		sendNext: back.Next, receiveNext: out.Next,
		peerMSS: mssOrDefault(c.mss), peerScale: c.scale, scale: o.scale,
		hasScale: scaled, sack: c.sack && o.sack, timestamp: c.timestamp && o.timestamp,
		tsval: originTime, peerWindow: fromClient, window: fromOrigin,
	}
	origin = endpoint{
		local: t.client(), remote: t.origin(), leg: 1 - int(f.Leg),
		sendNext: out.Next, receiveNext: back.Next,
		peerMSS: mssOrDefault(o.mss), peerScale: o.scale, scale: c.scale,
		hasScale: scaled, sack: c.sack && o.sack, timestamp: c.timestamp && o.timestamp,
		tsval: clientTime, peerWindow: fromOrigin, window: fromClient,
	}
	return client, origin, nil
}

// mssOrDefault returns what an end that names no MSS accepts (RFC 9293, Section 3.7.1).
func mssOrDefault(mss uint16) uint16 {
	if mss == 0 {
		return 536
	}
	return mss
}

// closeInRepair closes a restored connection of which the peer must not hear.
func closeInRepair(fd int) {
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_REPAIR, repairOn) // may be on still
	unix.Close(fd)
}
