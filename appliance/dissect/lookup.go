package dissect

import (
	"encoding/binary"
	"slices"

	"github.com/clearspan/clearspan/decrypt/proto"
	"github.com/clearspan/clearspan/decrypt/proto/dns"
)

// noType is reserved (RFC 6895, Section 3.1): what looks like a question of it is NTP or RIP.
const noType = "0"

// maxLookups bounds the queries of a session that have no response.
const maxLookups = 256

// dnsReader follows DNS (RFC 1035).
type dnsReader struct {
	s       *Session
	held    [2][]byte // of messages behind their length
	queries []Lookup  // without a response
}

func newDNS(s *Session) *dnsReader { return &dnsReader{s: s} }

// data reads messages in a stream of TCP, each behind its length.
func (x *dnsReader) data(dir proto.Direction, p []byte) Cause {
	for {
		b := x.held[dir]
		need := 2
		if len(b) >= 2 {
			need += int(binary.BigEndian.Uint16(b))
		}
		if need > 2 && len(b) == need {
			x.held[dir] = b[:0]
			if !x.message(dir, b[2:]) {
				return StopBroken
			}
			continue
		}
		if len(p) == 0 {
			return reading
		}
		if need == 2 && len(b) == 2 {
			return StopBroken // of no octets
		}
		n := min(need-len(b), len(p))
		x.held[dir] = append(b, p[:n]...)
		p = p[n:]
	}
}

// message reads one message. It returns false if it is none.
func (x *dnsReader) message(dir proto.Direction, b []byte) bool {
	m, ok := dns.Parse(b)
	if !ok || m.Type == noType || m.Response != (dir == proto.OriginToClient) {
		return false
	}
	l := Lookup{id: m.ID, Name: m.Name, Type: m.Type}
	if !m.Response {
		if !slices.ContainsFunc(x.queries, l.same) { // else it is sent again
			if len(x.queries) >= maxLookups {
				x.tell(&x.queries[0])
				x.queries = slices.Delete(x.queries, 0, 1)
			}
			x.queries = append(x.queries, l)
		}
		return true
	}
	x.queries = slices.DeleteFunc(x.queries, l.same)
	l.Answered, l.Code, l.Answers = true, m.Code, m.Answers
	x.tell(&l)
	return true
}

func (l *Lookup) same(m Lookup) bool { return l.id == m.id && l.Name == m.Name && l.Type == m.Type }

func (x *dnsReader) tell(l *Lookup) {
	x.s.event().lookup = *l
	x.s.sink.Event(&x.s.event().lookup)
}

func (x *dnsReader) gap(proto.Direction, uint64) Cause { return StopGap }

func (x *dnsReader) end(proto.Direction) {}

func (x *dnsReader) close(Ending) {
	for i := range x.queries {
		x.tell(&x.queries[i])
	}
	x.queries = nil
}

// ReadLookup reads the response in a body of application/dns-message (RFC 8484).
func ReadLookup(b []byte) (Lookup, bool) {
	m, ok := dns.Parse(b)
	return Lookup{Name: m.Name, Type: m.Type, Answered: m.Response, Code: m.Code, Answers: m.Answers}, ok
}
