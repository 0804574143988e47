package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// linkFlags reads the flags of interfaces in a namespace, and waits for changes of any. It
// allocates nothing, for it is asked many times a second. It is not safe for concurrent
// use.
type linkFlags struct {
	requests, events int // netlink sockets
	seq              uint32
	head             [64]byte // the start of a message suffices
}

// Lengths and places in messages of rtnetlink(7).
const (
	linkRequest  = unix.SizeofNlMsghdr + unix.SizeofIfInfomsg
	linkFlagsAt  = unix.SizeofNlMsghdr + 8
	netlinkError = unix.SizeofNlMsghdr // an error number, negative
)

// openLinkFlags opens both sockets in the namespace. The caller must close them.
func openLinkFlags(n *namespace) (_ *linkFlags, err error) {
	f := &linkFlags{requests: -1, events: -1}
	defer func() {
		if err != nil {
			f.close()
			err = fmt.Errorf("watch legs: %w", err)
		}
	}()
	for _, s := range []struct {
		fd     *int
		groups uint32
	}{{&f.requests, 0}, {&f.events, unix.RTMGRP_LINK}} {
		if *s.fd, err = n.Socket(unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_ROUTE); err != nil {
			*s.fd = -1
			return nil, err
		}
		if err = unix.Bind(*s.fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: s.groups}); err != nil {
			return nil, err
		}
	}
	return f, nil
}

func (f *linkFlags) close() {
	for _, fd := range []int{f.requests, f.events} {
		if fd >= 0 {
			unix.Close(fd)
		}
	}
}

// of returns the flags of the interface of that index. It returns unix.ENODEV if
// there is none.
func (f *linkFlags) of(index int) (flags uint32, err error) {
	f.seq++
	order := binary.NativeEndian
	var q [linkRequest]byte
	order.PutUint32(q[:], linkRequest)
	order.PutUint16(q[4:], unix.RTM_GETLINK)
	order.PutUint16(q[6:], unix.NLM_F_REQUEST)
	order.PutUint32(q[8:], f.seq)
	order.PutUint32(q[unix.SizeofNlMsghdr+4:], uint32(index))
	if err := unix.Sendto(f.requests, q[:], 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return 0, err
	}
	for range 16 { // an answer that was given up waits, perhaps
		if !readable(f.requests, time.Second) {
			return 0, unix.ETIMEDOUT
		}
		n, _, err := unix.Recvfrom(f.requests, f.head[:], 0)
		if err != nil {
			return 0, err
		}
		if n < linkRequest || order.Uint32(f.head[8:]) != f.seq {
			continue
		}
		switch order.Uint16(f.head[4:]) {
		case unix.NLMSG_ERROR:
			return 0, unix.Errno(-int32(order.Uint32(f.head[netlinkError:])))
		case unix.RTM_NEWLINK:
			return order.Uint32(f.head[linkFlagsAt:]), nil
		}
	}
	return 0, unix.ETIMEDOUT
}

// wait returns when an interface has changed, or after limit.
func (f *linkFlags) wait(limit time.Duration) {
	if !readable(f.events, limit) {
		return
	}
	for { // all that came are one change; that some were lost (ENOBUFS) is one, too
		if _, _, err := unix.Recvfrom(f.events, f.head[:], 0); err != nil && !errors.Is(err, unix.ENOBUFS) {
			return
		}
	}
}

// readable waits for a socket to have something, for at most limit.
func readable(fd int, limit time.Duration) bool {
	poll := [1]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	for end := time.Now().Add(limit); limit > 0; limit = time.Until(end) {
		n, err := unix.Poll(poll[:], int(limit.Milliseconds())+1)
		if err != unix.EINTR { // a signal of the runtime
			return err == nil && n > 0
		}
	}
	return false
}
