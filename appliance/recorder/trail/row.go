package trail

import (
	"encoding/hex"
	"errors"
	"net/netip"
	"time"
)

// ID names a session, an event or a finding. It begins with the time in nanoseconds since
// 1970, so that the order of names is that of beginnings.
type ID [16]byte

// String returns 32 hexadecimal digits.
func (id ID) String() string { return hex.EncodeToString(id[:]) }

// ParseID reads 32 hexadecimal digits.
func ParseID(s string) (id ID, err error) {
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != len(id) {
		return id, errors.New("an identifier has 32 hexadecimal digits")
	}
	return ID(b), nil
}

// Hash is the SHA-256 of the octets of an object.
type Hash [32]byte

// String returns 64 hexadecimal digits.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// IsZero reports whether there is none.
func (h Hash) IsZero() bool { return h == Hash{} }

// ParseHash reads 64 hexadecimal digits.
func ParseHash(s string) (h Hash, err error) {
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != len(h) {
		return h, errors.New("a SHA-256 has 64 hexadecimal digits")
	}
	return Hash(b), nil
}

// Direction is which way an object went.
type Direction uint8

const (
	Sent     Direction = iota // by the client of the session
	Received                  // by the client of the session
)

// String returns "sent" or "received".
func (d Direction) String() string {
	if d == Received {
		return "received"
	}
	return "sent"
}

// Session is one TCP connection, or the datagrams between two UDP ports.
type Session struct {
	ID             ID
	Start, End     time.Time // End is the last packet up to now
	Source         string    // that captured it
	Client, Server netip.AddrPort
	Transport      string // "tcp" or "udp"
	Protocol       string // "http", "smtp", "smb" ...; "": not known
	VLAN           uint16
	Tunnel         string // such as "vxlan 12"
	Up, Down       uint64 // octets from and to the client
	GapUp, GapDown uint64 // octets that were lost
	Packets        uint64
	Flags          Flags
	Open           bool   // more may come
	Stop           string // why reading ended: "ended", "gap", "bound" ...
	SNI, ALPN, JA4 string
	TLS            string // version, of what stayed closed
	Rule, Audit    string // of clearspan's own feed: the rule, and the session's id in the audit log
	User           string // if it is known
}

// Flags are what is remarkable about a session.
type Flags uint8

const (
	Midstream Flags = 1 << iota // its beginning was not captured
	Reset                       // one end broke it off
	Ambiguous                   // octets were sent twice, with different contents
	Idle                        // it was closed because it was silent
)

// Kinds of events.
const (
	Request = "request" // of the web, with its answer
	Message = "message" // of a session that has no requests, such as WebSocket
	Mail    = "mail"
	File    = "file" // of FTP and SMB
	Lookup  = "lookup"
	Login   = "login"
	TLS     = "tls" // a handshake of a session that stays closed
)

// Event is one thing that was done in a session. Fields that do not apply are empty.
type Event struct {
	ID       ID
	Session  ID
	Seq      uint64 // in the session, from 1
	At       time.Time
	Kind     string
	Protocol string
	Client   netip.AddrPort // of the session: most questions ask for it
	Server   netip.AddrPort

	Method   string // of HTTP; command of FTP and SMB; type of a lookup; "send", "get" or "put" of mail
	Host     string // asked for; name of a lookup
	URI      string // http://host/path of a request; path of a file
	Status   int
	Type     string // media type of the answer
	Agent    string // JA4 of the client of a closed session
	Referrer string // of a request; former path of a file that is renamed

	Sender    string // envelope or header
	Subject   string // of the mail; of the certificate of a closed session, with the issuer
	MessageID string
	Parties   []Party

	User      string // of a login
	Mechanism string // of a login; version of TLS
	Outcome   string // of a login, or of an event that was not complete: "cut", "lost" ...

	Up, Down uint64 // octets of contents
	Answers  string // of a lookup; names and SHA-256 of a certificate; with blanks between them
}

// Party is an address of a mail message.
type Party struct {
	Role    Role
	Address string
}

// Role is what an address is to a mail message.
type Role uint8

const (
	Recipient Role = iota // of the envelope
	From                  // of the header, and the following
	To
	CC
)

// String returns "rcpt", "from", "to" or "cc".
func (r Role) String() string { return [...]string{"rcpt", "from", "to", "cc"}[min(r, CC)] }

// Object is the octets of one file or body. It is the same object wherever it was seen.
type Object struct {
	Hash   Hash
	Size   uint64 // holes among them
	Type   string // told by its octets
	Holes  []Hole // read as zeros, and so they are in the hash
	More   uint64 // holes that are not listed
	Stored uint64 // octets on disk; 0: only the hash is kept
	First  time.Time
}

// Hole is a run of octets that are not there.
type Hole struct{ At, Size uint64 }

// Sighting is an object in an event.
type Sighting struct {
	Event     ID
	Number    int // in the event, from 1
	Hash      Hash
	At        time.Time
	Direction Direction
	Name      string // in UTF-8; "": none
	RawName   string // as it came, if that is something else
	Type      string // declared
	Part      string // of a message, such as "2.1"
	Field     string // of a form
	Parent    Hash   // the message or archive that it lies in
	Ending    string // "complete", "cut", "broken"
	Size      uint64
}

// Finding is personal or confidential data in an object. The values themselves are only in
// the object.
type Finding struct {
	ID       ID
	Event    ID
	Hash     Hash
	At       time.Time
	Rule     string // that it was told for; "": none
	Detector string
	Count    uint64
	Score    int
	Sample   string // masked
	Place    string // such as "page 2" or "sheet 名簿, B12"
}

// Who is a name for an address.
type Who struct {
	Address  netip.Addr
	From, To time.Time
	MAC      string
	Host     string
	User     string
	Source   string // "dhcp", "ntlm", "proxy" ...
}

// Pending is work that was put off.
type Pending struct {
	Hash Hash
	Work string // "text", "inspect"
	Why  string
	At   time.Time
}

// ErrNone says that there is no such row.
var ErrNone = errors.New("there is none")
