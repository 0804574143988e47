package decrypt

import (
	"context"
	"crypto/tls"
	"net"
	"net/netip"
	"time"
)

// Incoming is a client connection as an intake hands it over.
type Incoming struct {
	Intake string         // name of the intake
	Conn   net.Conn       // client leg; the engine takes and closes it
	Client netip.AddrPort // client's address
	Origin netip.AddrPort // original destination, before any redirection
	Name   string         // name the client asked for by CONNECT or SOCKS; may be empty
	SNI    string         // server name for the origin leg when the hello has none; may be empty
	Link   Link           // what is known of the client's link

	// Resolved tells that the server name was looked up to find Origin, or has
	// nothing to do with it.
	Resolved bool

	// Accepted tells that the client was told, by CONNECT or SOCKS, that it is
	// connected. If the origin cannot be reached, a client of TLS gets an alert.
	Accepted bool

	// Greeting is what the origin sent the client before the connection was taken
	// over; the client has it already.
	Greeting []byte

	// Dial opens the origin leg, at most once at a time. It keeps the client's
	// address where the intake is transparent.
	Dial func(ctx context.Context) (net.Conn, error)

	// Route finds another way to the origin, by the server name, for engines that
	// go by it. nil: the intake has no other than Dial.
	Route func(ctx context.Context, name string) (Route, error)

	// Announce writes what must come first on an origin leg, by whatever way it was
	// opened; nil: nothing.
	Announce func(conn net.Conn) error

	// Own returns the origin's own certificates, for inbound inspection, of which
	// the client is shown the one that suits its hello, else the first; none: a
	// forged one. name is the server name; proven says that the origin was judged
	// and may be trusted as it. Nil: there are none.
	Own func(name string, proven bool) []tls.Certificate
}

// Route is a way to an origin.
type Route struct {
	Addrs []netip.AddrPort // that Dial tries, at least one
	Dial  func(ctx context.Context) (net.Conn, error)
}

// Upstream is a way to an origin by another proxy. The connection that Dial returns has
// the origin's address as its remote address, or the one that stands for it.
type Upstream struct {
	Name string // of the proxy, for entries
	Dial func(ctx context.Context) (net.Conn, error)
}

// Link holds the facts of layer 2. Zero values mean unknown.
type Link struct {
	ClientMAC, OriginMAC [6]byte
	VLAN                 uint16 // VLAN identifier, 1 to 4094

	Handshake *Handshake // of client and origin themselves; nil if they had none
}

// Handshake is a TCP handshake that client and origin completed with each other,
// before their connection was taken over (RFC 9293, Section 3.5). Not to be
// changed.
type Handshake struct{ Client, Origin HandshakeSide }

// HandshakeSide is what one end said: the client's SYN, the origin's SYN-ACK.
type HandshakeSide struct {
	ISN     uint32
	Window  uint16    // of that segment, where it is not scaled
	Options []byte    // of the TCP header, as they were, at most 40 octets
	TTL     uint8     // TTL or hop limit where we saw it
	Time    time.Time // when the segment went by
}
