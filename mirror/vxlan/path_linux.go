package vxlan

import (
	"errors"
	"time"

	"golang.org/x/sys/unix"

	"github.com/clearspan/clearspan/mirror"
)

const (
	pollInterval = 200 * time.Millisecond
	// rest is how long a remote that refuses is left alone. Linux answers one
	// datagram a second at most (net.ipv4.icmp_ratelimit).
	rest = 2 * time.Second
)

// What surrounds an inner IP packet of the longest kind, in octets.
const (
	frameOverhead = 14 + 4     // Ethernet header and one VLAN tag
	outerIPv4     = 20 + 8 + 8 // IP, UDP and VXLAN header
	outerIPv6     = 40 + 8 + 8 //
	defaultPath   = 1500       // until the path is known
	maxPath       = 65535      // the longest IPv4 packet
	minInner      = 68         // the least MTU of IPv4
)

// path is the way to the remote at one moment. It is not changed once published.
type path struct {
	routed bool
	mtu    int // octets of an inner IP packet
}

// newPath returns the path over which outer packets of the given length go; 0 if
// it is not known.
func (s *Sink) newPath(outer int) path {
	p := path{routed: outer > 0}
	if outer == 0 {
		outer = defaultPath
	}
	overhead := outerIPv6
	if s.cfg.Remote.Addr().Is4() {
		overhead = outerIPv4
	}
	p.mtu = max(min(outer, maxPath)-overhead-frameOverhead, minInner)
	if s.cfg.MTU > 0 {
		p.mtu = min(p.mtu, s.cfg.MTU)
	}
	return p
}

// watch follows the path and the answers of the remote until the sink is closed.
func (s *Sink) watch() {
	defer close(s.done)
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	for {
		select {
		case <-s.stop:
			return
		case <-ticker.C:
			s.updatePath()
		}
	}
}

// updatePath connects sockets that are not, publishes the path, and takes answers.
// The sockets stay open meanwhile: Close ends the watcher first.
func (s *Sink) updatePath() {
	s.looking.Lock()
	defer s.looking.Unlock()
	outer := 0
	for _, socket := range s.sockets {
		if !socket.connect() {
			outer = 0
			break
		}
		if mtu := socket.pathMTU(); outer == 0 || mtu > 0 && mtu < outer {
			outer = mtu
		}
	}
	now := s.newPath(outer)
	if old := s.path.Load(); *old != now {
		s.path.Store(&now)
		s.log.Info("vxlan path changed", "remote", s.cfg.Remote.String(), "routed", now.routed, "mtu", now.mtu)
	}
	for _, socket := range s.sockets {
		if n, errno := socket.drain(); n > 0 {
			s.count.refused.Add(uint64(n))
			s.refuse(errno)
		}
	}
	if until := s.restUntil.Load(); until != 0 && time.Since(s.start) > time.Duration(until)+rest && s.refusing.CompareAndSwap(true, false) {
		s.log.Info("vxlan remote accepts frames again", "remote", s.cfg.Remote.String())
	}
}

// refuse gives the remote a rest after an answer that a datagram was not
// delivered.
func (s *Sink) refuse(errno unix.Errno) {
	s.unreachable.Store(!errors.Is(errno, unix.ECONNREFUSED))
	s.restUntil.Store(int64(time.Since(s.start) + rest))
	if s.refusing.CompareAndSwap(false, true) {
		s.log.Warn("vxlan remote refuses frames", "remote", s.cfg.Remote.String(), "err", errno)
	}
}

// usable returns why frames cannot be sent, or nil.
func (s *Sink) usable(p *path) error {
	switch {
	case s.closing.Load():
		return mirror.ErrClosed
	case !p.routed:
		return mirror.ErrNoLink
	case int64(time.Since(s.start)) >= s.restUntil.Load():
		return nil
	case s.unreachable.Load():
		return mirror.ErrNoLink
	}
	return mirror.ErrNoReader
}
