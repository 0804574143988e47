package engine

import (
	"encoding/binary"
	"errors"
	"net/netip"

	"github.com/clearspan/clearspan/appliance/recorder/flow"
	"github.com/clearspan/clearspan/decrypt/proto"
)

// LinkType is that of records in volumes: LINKTYPE_USER0.
const LinkType = 147

// Kind is what a record says.
type Kind byte

const (
	Open  Kind = 1 // a session began
	Data  Kind = 2 // octets of one direction
	End   Kind = 3 // a direction ended in order
	Close Kind = 4 // the session is over
	Gone  Kind = 5 // the sender is: its sessions are over
)

// Record is one record. Octets are borrowed.
type Record struct {
	Kind    Kind
	Session flow.ID
	Sender  uint64 // of Open and Gone

	Client, Server netip.AddrPort // of Open

	Direction proto.Direction // of Data and End
	Offset    uint64          // octets of the direction before it
	Octets    []byte          // of Data, at most MaxOctets

	Reset bool      // of Close: one end broke it off
	Sizes [2]uint64 // of Close: octets of both directions
}

// MaxOctets bounds the octets of one record.
const MaxOctets = 64 << 10

// magic begins a record, with its version.
const magic = "cs\x01"

// Sizes of the parts of a record, in octets.
const (
	headSize = len(magic) + 1 + 16
	endSize  = 16 + 2
)

var le = binary.LittleEndian

// Append appends the record to p.
func (r *Record) Append(p []byte) []byte {
	p = append(p, magic...)
	p = append(p, byte(r.Kind))
	p = append(p, r.Session[:]...)
	switch r.Kind {
	case Open:
		p = le.AppendUint64(p, r.Sender)
		p = appendEnd(p, r.Client)
		p = appendEnd(p, r.Server)
	case Data, End:
		p = append(p, byte(r.Direction))
		p = le.AppendUint64(p, r.Offset)
		p = append(p, r.Octets...)
	case Close:
		p = append(p, octet(r.Reset))
		p = le.AppendUint64(p, r.Sizes[0])
		p = le.AppendUint64(p, r.Sizes[1])
	case Gone:
		p = le.AppendUint64(p, r.Sender)
	}
	return p
}

func octet(yes bool) byte {
	if yes {
		return 1
	}
	return 0
}

func appendEnd(p []byte, a netip.AddrPort) []byte {
	ip := a.Addr().As16()
	return le.AppendUint16(append(p, ip[:]...), a.Port())
}

// least are the octets behind the head by kind; those of Data follow.
var least = [...]int{Open: 8 + 2*endSize, Data: 9, End: 9, Close: 17, Gone: 8}

var errRecord = errors.New("no record of an engine")

// Parse reads a record. Its octets are those of p.
func Parse(p []byte) (r Record, err error) {
	if len(p) < headSize || string(p[:len(magic)]) != magic {
		return r, errRecord
	}
	r.Kind = Kind(p[len(magic)])
	copy(r.Session[:], p[len(magic)+1:])
	p = p[headSize:]
	want := 0
	if int(r.Kind) < len(least) {
		want = least[r.Kind]
	}
	if want == 0 || len(p) < want || len(p) > want && r.Kind != Data || len(p) > want+MaxOctets {
		return r, errRecord
	}
	switch r.Kind {
	case Open:
		r.Sender = le.Uint64(p)
		r.Client, r.Server = end(p[8:]), end(p[8+endSize:])
	case Data, End:
		if p[0] > 1 {
			return r, errRecord
		}
		r.Direction, r.Offset, r.Octets = proto.Direction(p[0]), le.Uint64(p[1:]), p[9:]
		if r.Offset > 1<<62 {
			return r, errRecord
		}
	case Close:
		r.Reset, r.Sizes = p[0] == 1, [2]uint64{le.Uint64(p[1:]), le.Uint64(p[9:])}
		if r.Sizes[0] > 1<<62 || r.Sizes[1] > 1<<62 {
			return r, errRecord
		}
	case Gone:
		r.Sender = le.Uint64(p)
	}
	return r, nil
}

// SessionOf returns the session that a record is of, and false if it is none or says that a
// sender is gone.
func SessionOf(p []byte) (id flow.ID, ok bool) {
	if len(p) < headSize || string(p[:len(magic)]) != magic || Kind(p[len(magic)]) == Gone {
		return id, false
	}
	return flow.ID(p[len(magic)+1 : headSize]), true
}

func end(p []byte) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom16([16]byte(p[:16])).Unmap(), le.Uint16(p[16:]))
}
