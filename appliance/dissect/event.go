package dissect

import (
	"net/netip"

	"github.com/clearspan/clearspan/decrypt/proto"
)

// Sink takes the events of a session, in the order of the octets behind which they
// are known. It borrows an event, and all that the event refers to, until it returns.
type Sink interface {
	Event(e Event)
}

// Contents takes contents in pieces. The content of a message comes behind its
// [Request], [Answer] or [Message], and before its [End].
type Contents interface {
	// Content borrows p, the next octets of content. HTTP sends them in the content
	// coding of the message.
	Content(x *Exchange, dir proto.Direction, p []byte)
	// Hole says that the next n octets of content are lost.
	Hole(x *Exchange, dir proto.Direction, n uint64)
}

// Places is what [Contents] may be besides. Octets of files need not come in order, see
// [File]: those that do not follow the ones before are told with their offset. Without it,
// they are passed over.
type Places interface {
	// ContentAt borrows p, octets at an offset. The next octets of [Contents] follow them.
	ContentAt(x *Exchange, dir proto.Direction, offset uint64, p []byte)
	// HoleAt says that n octets at an offset are lost.
	HoleAt(x *Exchange, dir proto.Direction, offset, n uint64)
}

// Exchange is a request with its answer, or a mail message with its reply. It is
// valid until the [End] of its last message. HTTP has two, the first from the client.
// Mail and WebSocket have one.
type Exchange struct {
	Number uint64 // in the session, from 1; within tunnels of HTTP/2 above multiples of 1<<32
	Tag    any    // for the sink to keep what it has of the exchange

	octets, holes [2]uint64
	over          [2]bool
}

// Event is one of *[Request], *[Answer], *[Sender], *[Recipient], *[Message],
// *[Header], *[Reply], *[Part], *[WebSocket], *[Login], *[Channel], *[Command], *[Transfer],
// *[File], *[Change], *[Lookup], *[TLS], *[Holder], *[End] and *[Stop].
type Event interface{ event() }

// Request is the head of a web request. A request of a brief session has neither an
// exchange nor fields, see [Session.Brief]. A request that is lost, but not its answer, has
// nothing but an exchange.
type Request struct {
	*Exchange
	Method []byte
	Target []byte // as the client sent it; `:path` in HTTP/2
	Path   []byte // in the target, with the query; nil if the target has no path
	Host   Host
	Fields Fields
}

// Answer is the head of a web answer. Interim answers are no events, but 101 is.
type Answer struct {
	*Exchange
	Status int // from 101 to 999
	Fields Fields
}

// Sender begins the envelope of a mail message. It takes back an earlier one that no
// [Message] followed.
type Sender struct {
	Address []byte // without brackets; empty for a bounce
}

// Recipient is one recipient of the envelope, whether the server takes it or not.
type Recipient struct {
	Address []byte // without brackets
}

// Message is the beginning of a mail message. A message of SMTP has an envelope, which
// is complete. A message that a client fetches, or puts into a mailbox, has none.
type Message struct {
	*Exchange
	Fetched  bool // the origin sends it
	Envelope bool
}

// Header is the header section of a mail message, up to a bound of 32 KiB. It comes
// behind the octets that end it, or before the [End] of a message that has nothing
// else.
type Header struct {
	*Exchange
	Section []byte
}

// Part is the beginning of a part of a mail message, which a client fetches without the rest.
// Its content is in the transfer encoding that Header names.
type Part struct {
	*Exchange
	Section string // number of the part, such as "2.1"; "TEXT" for all of a message but its header
	Header  []byte // section of the part's fields, as it was sent or made of the structure; nil: not known
	Message []byte // section of the message's fields that are known; nil: none
}

// Reply is what the server says to a mail message that is complete. In LMTP there is one
// for each recipient that was accepted.
type Reply struct {
	Number uint64 // of the exchange
	Code   int    // from 100 to 999
}

// WebSocket is the beginning of a message of WebSocket. Its content is without masks and
// compression.
type WebSocket struct {
	*Exchange
	Opening   uint64 // number of the exchange that opened the connection
	Direction proto.Direction
	Text      bool // in UTF-8
}

// Login is a login that the origin has answered, or that has no answer by the end of the
// session. It never has a password.
type Login struct {
	User      []byte // at most 320 octets; empty if the mechanism does not tell
	Mechanism string // of SASL, or the command: "PLAIN", "LOGIN", "USER" ...
	Outcome   Outcome
}

// Channel is a data connection that FTP announces, for the next [Command].
type Channel struct {
	Active  bool       // the server connects to the client
	Address netip.Addr // not valid where only a port is told: then it is the server's
	Port    uint16
}

// Command is a command of FTP that takes a data connection. A [Transfer] follows if it
// gets or puts a file.
type Command struct {
	Verb      []byte          // in upper case: RETR, STOR, LIST ...
	Name      []byte          // at most 1024 octets
	Direction proto.Direction // of what the data connection carries
	File      bool            // it is a file, no list
}

// Transfer is a file that a client of FTP has asked for or has sent, on the control
// connection. The file itself takes another connection.
type Transfer struct {
	Name      []byte // at most 1024 octets; empty if the origin chooses it
	Direction proto.Direction
	Code      int // of the last reply; 0 without
}

// File is a file of SMB that is open. Its exchange lasts as long, and has an end of each
// direction: what the client writes, and what it reads. There is none for files that are
// opened, and neither read nor written nor new.
type File struct {
	*Exchange
	User  string // that opened it; "": not known
	Share string
	Path  string // in the share, with backslashes; "": it was opened before the session was seen
	Size  uint64 // when it was opened
	New   bool   // it was not there, or all that was in it is gone
}

// Change is a file of SMB that a client has renamed or deleted.
type Change struct {
	User        string
	Share, Path string // as in [File]
	To          string // its new path in the share; "": it is deleted
}

// Lookup is a query of DNS with its response.
type Lookup struct {
	Name     string // without the final dot
	Type     string // such as "AAAA"
	Answered bool   // a response came
	Code     int    // of the response: 0 is success, 3 no such name
	Answers  []string

	id uint16
}

// TLS is the handshake of a session that stays closed, as far as it is in the clear.
type TLS struct {
	ServerName  string
	ALPN        string // that the server chose, else the first that the client offers
	JA4         string
	QUIC        bool   // there is nothing of the server then
	ECH         bool   // the client sends another name, encrypted, or says so
	Version     string // such as "1.3"; "": not known
	Suite       string
	Alert       string       // by which the server refused; "": none
	Certificate *Certificate // of the server, up to TLS 1.2; nil: not seen
}

// Certificate is what the certificate of a server says.
type Certificate struct {
	Subject, Issuer string
	Names           []string // at most 100
	Until           string   // the last day, such as "2026-12-31"
	Fingerprint     [32]byte // SHA-256
}

// Holder says who has an address, by DHCP or RADIUS.
type Holder struct {
	Address netip.Addr // not valid: only MAC and Host are told
	MAC     string     // such as "02:00:00:00:00:07"; "": not told
	Host    string     // that the machine gives itself
	User    string
	Seconds uint32 // for which it is granted; 0: not told
	Asked   bool   // it is asked for, and not granted yet
	Source  string // "dhcp" or "radius"
}

// End is the end of a request, an answer or a mail message. An answer that never came
// has one, too.
type End struct {
	*Exchange
	Direction proto.Direction // of the content
	Octets    uint64          // of content, those in holes among them
	Lost      uint64          // octets in holes
	How       Ending
}

// Stop is the last event of each session.
type Stop struct {
	Cause Cause
}

func (*Request) event()   {}
func (*Answer) event()    {}
func (*Sender) event()    {}
func (*Recipient) event() {}
func (*Message) event()   {}
func (*Header) event()    {}
func (*Part) event()      {}
func (*Reply) event()     {}
func (*WebSocket) event() {}
func (*Login) event()     {}
func (*Channel) event()   {}
func (*Command) event()   {}
func (*Transfer) event()  {}
func (*File) event()      {}
func (*Change) event()    {}
func (*Lookup) event()    {}
func (*TLS) event()       {}
func (*Holder) event()    {}
func (*End) event()       {}
func (*Stop) event()      {}
