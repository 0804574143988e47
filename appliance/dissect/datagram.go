package dissect

import (
	"encoding/binary"
	"net/netip"

	"github.com/clearspan/clearspan/decrypt/proto"
	"github.com/clearspan/clearspan/decrypt/quic"
	"github.com/clearspan/clearspan/decrypt/sniff"
)

// Datagrams says that each call of [Session.Data] has one datagram of UDP. Call it before the
// first. DNS, the hellos of QUIC, DHCP and RADIUS
// accounting are read then, if somebody asks for contents.
func (s *Session) Datagrams() { s.datagrams = 1 }

// maxDatagrams bounds those that are looked at for a protocol.
const maxDatagrams = 16

// datagram reads a datagram.
func (s *Session) datagram(dir proto.Direction, p []byte) {
	switch r := s.reader.(type) {
	case *dnsReader:
		r.message(dir, p)
	case *quicReader:
		r.datagram(dir, p)
	case *holderReader:
		r.datagram(p)
	case nil:
		s.tellDatagram(dir, p)
	}
}

// tellDatagram tells the protocol by a datagram.
func (s *Session) tellDatagram(dir proto.Direction, p []byte) {
	if s.contents == nil {
		s.stop(StopUnknown)
		return
	}
	d, h := newDNS(s), &holderReader{s: s}
	if word := h.datagram(p); word != "" {
		if !s.stopped {
			s.reader, s.word = h, word
		}
		return
	}
	switch {
	case d.message(dir, p):
		if s.reader == nil && !s.stopped {
			s.reader, s.protocol = d, sniff.DNS
		}
	case dir == proto.ClientToOrigin && isQUIC(p):
		r := newQUIC(s)
		s.reader, s.word = r, "quic"
		r.datagram(dir, p)
	default:
		if s.datagrams++; s.datagrams > maxDatagrams {
			s.stop(StopUnknown)
		}
	}
}

// isQUIC wants a packet with a long header of a version that can be read (RFC 9000, Section
// 17.2; RFC 9369, Section 3.1).
func isQUIC(p []byte) bool {
	const minInitial, version1, version2 = 1200, 1, 0x6b3343cf
	if len(p) < minInitial || p[0]&0xc0 != 0xc0 {
		return false
	}
	v := binary.BigEndian.Uint32(p[1:])
	return v == version1 || v == version2
}

// quicReader reads the hello of a client of QUIC.
type quicReader struct {
	s    *Session
	peek *quic.Peek // nil: it is read, or cannot be
}

func newQUIC(s *Session) *quicReader {
	x := &quicReader{s: s}
	x.peek = quic.NewPeek(quic.Config{Judge: x.judge})
	return x
}

// ends are those of a peek with one flow.
var ends = [2]netip.AddrPort{netip.AddrPortFrom(netip.IPv4Unspecified(), 1), netip.AddrPortFrom(netip.IPv4Unspecified(), 2)}

func (x *quicReader) datagram(dir proto.Direction, p []byte) {
	if x.peek == nil || dir != proto.ClientToOrigin {
		return
	}
	if x.peek.Datagram(ends[0], ends[1], p) != quic.Undecided {
		x.peek = nil
	}
}

// judge takes what was read.
func (x *quicReader) judge(r *quic.Result) quic.Verdict {
	if h := r.Hello; h != nil {
		e := &x.s.event().tls
		*e = TLS{QUIC: true, JA4: h.JA4QUIC()}
		e.read(h)
		x.s.missed(StopEncrypted)
		x.s.sink.Event(e)
	}
	return quic.Pass
}

func (x *quicReader) data(proto.Direction, []byte) Cause { return reading }

func (x *quicReader) gap(proto.Direction, uint64) Cause { return reading }

func (x *quicReader) end(proto.Direction) {}

func (x *quicReader) close(Ending) {}
