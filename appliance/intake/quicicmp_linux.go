package intake

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

const (
	answerAfter = 100 * time.Millisecond // a datagram was held, if no verdict comes first
	maxDelayed  = 4096                   // answers that wait
	maxQuoted   = 128                    // octets of the datagram in an answer, at most
)

// flow is a client and its origin.
type flow struct{ client, origin netip.AddrPort }

// icmpAnswers are refusals of datagrams that the kernel dropped in silence: ICMP messages
// that the port is unreachable. Safe for concurrent use.
type icmpAnswers struct {
	fd4, fd6 int // raw sockets; fd6 is negative without IPv6

	mu      sync.Mutex
	delayed map[flow]*delayedAnswer
	closed  bool
}

// delayedAnswer is an answer that waits.
type delayedAnswer struct {
	packet []byte // the beginning of the datagram, from the IP header on
	timer  *time.Timer
}

// openICMPAnswers needs CAP_NET_RAW.
func openICMPAnswers() (*icmpAnswers, error) {
	fd4, err := rawSocket(unix.AF_INET, unix.IPPROTO_ICMP)
	if err != nil {
		return nil, err
	}
	fd6, err := rawSocket(unix.AF_INET6, unix.IPPROTO_ICMPV6)
	if errors.Is(err, unix.EAFNOSUPPORT) {
		fd6, err = -1, nil
	}
	if err != nil {
		unix.Close(fd4)
		return nil, err
	}
	return &icmpAnswers{fd4: fd4, fd6: fd6, delayed: make(map[flow]*delayedAnswer)}, nil
}

// rawSocket opens one to send ICMP, that receives nothing.
func rawSocket(family, protocol int) (int, error) {
	fd, err := unix.Socket(family, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, protocol)
	if err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	const icmpFilter = 1 // ICMP_FILTER of linux/icmp.h: a bit for each type that is not received
	if family == unix.AF_INET {
		err = unix.SetsockoptInt(fd, unix.SOL_RAW, icmpFilter, -1)
	} else {
		var none unix.ICMPv6Filter
		for i := range none.Data {
			none.Data[i] = ^uint32(0)
		}
		err = unix.SetsockoptICMPv6Filter(fd, unix.IPPROTO_ICMPV6, unix.ICMPV6_FILTER, &none)
	}
	if err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("set filter of raw socket: %w", err)
	}
	return fd, nil
}

// hold notes a datagram that is to be answered, at once or after a while. It borrows
// packet. If too many wait, it is answered at once.
func (a *icmpAnswers) hold(fl flow, packet []byte, now bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed || a.delayed[fl] != nil {
		return
	}
	packet = packet[:min(len(packet), maxQuoted)]
	if now || len(a.delayed) >= maxDelayed {
		a.send(fl, packet)
		return
	}
	p := &delayedAnswer{packet: append([]byte(nil), packet...)}
	p.timer = time.AfterFunc(answerAfter, func() { a.answer(fl) })
	a.delayed[fl] = p
}

// answer answers a datagram that waits, if there is one.
func (a *icmpAnswers) answer(fl flow) {
	a.mu.Lock()
	defer a.mu.Unlock()
	p := a.delayed[fl]
	if p == nil || a.closed {
		return
	}
	p.timer.Stop()
	delete(a.delayed, fl)
	a.send(fl, p.packet)
}

// send sends an answer. If that fails, the client sends again, and the kernel answers.
func (a *icmpAnswers) send(fl flow, packet []byte) {
	if fl.client.Addr().Is4() {
		unix.Sendto(a.fd4, unreachable(3, 3, packet), 0, &unix.SockaddrInet4{Addr: fl.client.Addr().As4()})
	} else if a.fd6 >= 0 {
		unix.Sendto(a.fd6, unreachable(1, 4, packet), 0, &unix.SockaddrInet6{Addr: fl.client.Addr().As16()})
	}
}

// unreachable is the ICMP message that quotes packet (RFC 792; RFC 4443, Section 3.1).
// The kernel fills in the checksum over IPv6.
func unreachable(kind, code byte, packet []byte) []byte {
	m := append([]byte{kind, code, 0, 0, 0, 0, 0, 0}, packet...)
	var sum uint32
	for i := 0; i < len(m); i += 2 {
		sum += uint32(m[i]) << 8
		if i+1 < len(m) {
			sum += uint32(m[i+1])
		}
	}
	for sum>>16 != 0 {
		sum = sum&0xffff + sum>>16
	}
	binary.BigEndian.PutUint16(m[2:], ^uint16(sum))
	return m
}

// close drops what waits.
func (a *icmpAnswers) close() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.closed = true
	for _, p := range a.delayed {
		p.timer.Stop()
	}
	err := unix.Close(a.fd4)
	if a.fd6 >= 0 {
		err = errors.Join(err, unix.Close(a.fd6))
	}
	return err
}
