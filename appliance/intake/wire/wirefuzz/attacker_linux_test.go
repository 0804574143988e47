package wirefuzz

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/clearspan/clearspan/hack/netlab"
)

// attacker is a packet socket on eth0 of an end, by which many cases speak at once.
type attacker struct {
	fd, wake, index int

	mu    sync.Mutex
	lines map[[2]netip.AddrPort]*line // by the attacker's address and the peer's
	done  sync.WaitGroup
}

func openAttacker(ns *netlab.Namespace) (*attacker, error) {
	link, err := ns.Interface("eth0")
	if err != nil {
		return nil, err
	}
	a := &attacker{fd: -1, index: link.Index, lines: make(map[[2]netip.AddrPort]*line)}
	err = ns.Do(func() error {
		if a.fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0); err != nil {
			return err
		}
		if err := unix.SetsockoptInt(a.fd, unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, 1); err != nil {
			return err
		}
		if err := unix.SetsockoptInt(a.fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 16<<20); err != nil {
			return err
		}
		return unix.Bind(a.fd, &unix.SockaddrLinklayer{Protocol: binary.NativeEndian.Uint16([]byte{0, 3}), Ifindex: a.index})
	})
	if err == nil {
		a.wake, err = unix.Eventfd(0, unix.EFD_CLOEXEC)
	}
	if err != nil {
		unix.Close(a.fd)
		return nil, fmt.Errorf("open packet socket: %w", err)
	}
	a.done.Go(a.listen)
	return a, nil
}

func (a *attacker) close() {
	unix.Write(a.wake, []byte{1, 0, 0, 0, 0, 0, 0, 0})
	a.done.Wait()
	unix.Close(a.fd)
	unix.Close(a.wake)
}

// send sends a frame. One that a bad line drops at once is sent.
func (a *attacker) send(frame []byte) error {
	err := unix.Sendto(a.fd, frame, 0, &unix.SockaddrLinklayer{Ifindex: a.index})
	if err == unix.ENOBUFS {
		return nil
	}
	return err
}

// listen gives frames to the cases they are for.
func (a *attacker) listen() {
	buf := make([]byte, 70_000)
	for {
		poll := []unix.PollFd{{Fd: int32(a.fd), Events: unix.POLLIN}, {Fd: int32(a.wake), Events: unix.POLLIN}}
		if _, err := unix.Poll(poll, -1); err != nil && err != unix.EINTR {
			return
		}
		if poll[1].Revents != 0 {
			return
		}
		for {
			n, _, err := unix.Recvfrom(a.fd, buf, unix.MSG_DONTWAIT)
			if err != nil {
				break
			}
			h, ok := hear(buf[:n])
			if !ok {
				continue
			}
			a.mu.Lock()
			l := a.lines[[2]netip.AddrPort{h.to, h.from}]
			a.mu.Unlock()
			if l != nil {
				l.take(h)
			}
		}
	}
}

// line is the attacker's end of a case.
type line struct {
	a   *attacker
	w   way
	c   *Case
	isn [2]uint32

	mu      sync.Mutex
	news    chan struct{} // holds one if something came since it was last read
	came    int           // frames
	awaited int
	synced  bool   // the peer's numbers are known
	next    uint32 // expected of the peer
	acked   uint32 // by the peer
	echo    uint32
	began   time.Time
	streams []*stream // what the peer sent, one for each of its initial numbers
}

// stream is what a peer's payload amounts to.
type stream struct {
	isn    uint32
	octets []byte
	known  []bool
}

// maxStream bounds what is kept of a stream.
const maxStream = 8192

// start has the frames of a case come to it.
func (a *attacker) start(c *Case, w way, isn [2]uint32) *line {
	l := &line{a: a, w: w, c: c, isn: isn, news: make(chan struct{}, 1), began: time.Now()}
	a.mu.Lock()
	a.lines[[2]netip.AddrPort{w.from, w.to}] = l
	a.mu.Unlock()
	return l
}

func (l *line) end() {
	l.a.mu.Lock()
	delete(l.a.lines, [2]netip.AddrPort{l.w.from, l.w.to})
	l.a.mu.Unlock()
}

// take notes a frame of the peer.
func (l *line) take(h heard) {
	l.mu.Lock()
	l.came++
	flags := h.flags
	if flags&flagBits("S") != 0 {
		if len(l.streams) == 0 || l.streams[len(l.streams)-1].isn != h.seq {
			l.streams = append(l.streams, &stream{isn: h.seq})
		}
		l.synced, l.next = true, h.seq+1
	}
	if h.time != 0 {
		l.echo = h.time
	}
	if flags&flagBits("A") != 0 {
		l.acked = h.ack
	}
	if len(h.body) > 0 {
		if len(l.streams) == 0 {
			l.streams = append(l.streams, &stream{isn: h.seq - 1})
		}
		if h.seq == l.next {
			l.next += uint32(len(h.body))
		}
		l.streams[len(l.streams)-1].add(h.seq, h.body)
	}
	l.mu.Unlock()
	select {
	case l.news <- struct{}{}:
	default:
	}
}

func (s *stream) add(seq uint32, body []byte) {
	at := int(int32(seq - s.isn - 1))
	if at < 0 || at+len(body) > maxStream {
		return
	}
	for len(s.octets) < at+len(body) {
		s.octets, s.known = append(s.octets, 0), append(s.known, false)
	}
	for i, o := range body {
		s.octets[at+i], s.known[at+i] = o, true
	}
}

// heard returns what the peer sent from its first octets on, for each of its
// connections.
func (l *line) heard() (all [][]byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.streams {
		n := 0
		for n < len(s.known) && s.known[n] {
			n++
		}
		all = append(all, append([]byte(nil), s.octets[:n]...))
	}
	return all
}

// How long a step waits for the peer, and the client for the SYN-ACK.
const (
	awaitLimit  = 250 * time.Millisecond
	answerLimit = time.Second
)

// await waits for a frame that no step awaited.
func (l *line) await(limit time.Duration) bool {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	for {
		l.mu.Lock()
		ok := l.came > l.awaited
		if ok {
			l.awaited = l.came
		}
		l.mu.Unlock()
		if ok {
			return true
		}
		select {
		case <-l.news:
		case <-timer.C:
			return false
		}
	}
}

// answered reports whether the peer's numbers are known.
func (l *line) answered() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.synced
}

// send sends a segment now.
func (l *line) send(s *Segment) error {
	l.mu.Lock()
	from, _ := s.octets()
	n := numbers{
		seq: l.isn[s.Life&1] + 1 + uint32(from) + uint32(s.Seq), ack: l.next,
		stamps: l.c.Stamps, time: 1_000_000 + uint32(time.Since(l.began).Milliseconds()), echo: l.echo,
	}
	if s.has("S") {
		n.seq--
	}
	l.mu.Unlock()
	for _, frame := range s.frames(l.w, n, l.c.Bare) {
		if err := l.a.send(frame); err != nil {
			return err
		}
	}
	return nil
}

// play sends the segments of the case.
func (l *line) play() error {
	for i := range l.c.Steps {
		s := &l.c.Steps[i]
		switch {
		case i == 1 && !l.c.Origin && !s.Rash:
			l.await(answerLimit)
		case s.Await:
			l.await(awaitLimit)
		}
		if s.After > 0 {
			time.Sleep(time.Duration(s.After) * time.Millisecond)
		}
		if err := l.send(s); err != nil {
			return fmt.Errorf("send step %d: %w", i, err)
		}
	}
	return nil
}
