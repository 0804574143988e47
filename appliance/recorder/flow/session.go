package flow

import (
	"encoding/binary"
	"encoding/hex"
	"hash/fnv"
	"net/netip"
	"time"

	"github.com/clearspan/clearspan/decrypt/proto"
)

// ID names a session. It begins with the time, so that names are in the order of
// beginnings, and is the same whenever the same frames are read.
type ID [16]byte

// String returns 32 hexadecimal digits.
func (id ID) String() string { return hex.EncodeToString(id[:]) }

// Transport is the protocol that carries a session, by its number in IP.
type Transport uint8

const (
	TCP Transport = 6
	UDP Transport = 17
)

// String returns "tcp" or "udp".
func (t Transport) String() string {
	if t == UDP {
		return "udp"
	}
	return "tcp"
}

// Flags are what is remarkable about a session.
type Flags uint8

const (
	Midstream Flags = 1 << iota // its beginning was not captured
	Reset                       // one end broke it off
	Ambiguous                   // octets were sent twice, with different contents
	Idle                        // it was closed because it was silent
)

// Counts are of one direction.
type Counts struct {
	Packets uint64
	Octets  uint64 // those that were told
	Lost    uint64 // octets in gaps
}

// Session is one TCP connection, or the datagrams between two UDP ports. It is the
// table's, which changes it with each frame, and valid until [Stream.Close] has returned.
type Session struct {
	ID             ID
	Client, Server netip.AddrPort
	Transport      Transport
	VLAN           uint16 // the innermost tag; 0: none
	Tunnel         string // the innermost tunnel, such as "vxlan 12"; "": none
	Start, Last    time.Time
	Counts         [2]Counts // by direction
	Flags          Flags
	Comments       []string // of packets, at most 4: our own feed says there what a session is
}

// maxComments bounds the comments of a session that are kept, and maxComment one of them.
const (
	maxComments = 4
	maxComment  = 4 << 10
)

// Handler is told of sessions.
type Handler interface {
	// Open returns what takes the session; nil: nobody wants it.
	Open(s *Session) Stream
}

// Stream takes one session. It borrows octets until it returns.
type Stream interface {
	// Data takes the next octets of one direction, or one datagram.
	Data(dir proto.Direction, p []byte)
	// Gap says that n octets are lost, behind those of before.
	Gap(dir proto.Direction, n uint64)
	// End says that a direction ended in order.
	End(dir proto.Direction)
	// Close says that the session is over.
	Close()
}

// newID makes the name of a session. again counts those of the same ends that began at the
// same time, before it.
func newID(at time.Time, k *key, again uint32) (id ID) {
	binary.BigEndian.PutUint64(id[:], uint64(nanoseconds(at)))
	h := fnv.New64a()
	h.Write(k.low.octets[:])
	h.Write(k.high.octets[:])
	h.Write([]byte{byte(k.transport)})
	h.Write(binary.BigEndian.AppendUint32(nil, k.network))
	h.Write(binary.BigEndian.AppendUint32(nil, again))
	h.Sum(id[8:8])
	return id
}

// nanoseconds returns the time since 1970; 0 for frames of captures without times.
func nanoseconds(at time.Time) int64 {
	if at.IsZero() {
		return 0
	}
	return at.UnixNano()
}

// Time returns when the session began, which its name begins with.
func (id ID) Time() time.Time { return time.Unix(0, int64(binary.BigEndian.Uint64(id[:]))) }
