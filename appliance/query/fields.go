package query

// ID is a field's number within this version of the program. It is never stored.
type ID uint8

// The fields of a row. After and Before have no value of their own, they ask for Start.
const (
	Session ID = iota
	State
	Stage
	Client
	ClientPort
	Host
	SNI
	Origin
	Port
	User
	Intake
	Upstream
	Transport
	Protocol
	StartTLS
	ALPN
	Rule
	Action
	Would
	Event
	Bypass
	Learned
	Taught
	Outcome
	Reason
	Notice
	Refusal
	Verdict
	Service
	Octets
	Sent
	Received
	Lost
	Span
	Start
	End
	After
	Before

	fields // their number
)

// Kind says what the values of a field are, and which operators it has.
type Kind uint8

const (
	// Text is compared without regard to case. A `*` stands for any octets; `*` alone
	// matches all but the empty text.
	Text Kind = iota
	// Words is Text with commas between its words. One word that matches is enough.
	Words
	// Address is an IP address. The value is an address, a prefix, or an address and port.
	Address
	// PortRange is a number up to 65535, or a range such as 8000-8099.
	PortRange
	// Size is a number of octets: 1500, 64KiB, 1MB.
	Size
	// Duration is a time that passed: 90s, 1h30m, 2d.
	Duration
	// Phrase is Text that need only be contained, unless it has a `*`.
	Phrase
	// Number is a whole number, or a range such as 200-299.
	Number
	// Time is a date, a date and time, or how long ago it was: 2026-11-01,
	// 2026-11-01T12:30, 15m.
	Time
)

var kindNames = [...]string{"text", "words", "address", "port", "size", "duration", "phrase", "number", "time"}

// String returns the word that help texts use.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return "unknown"
}

// Field is something that a query may ask for.
type Field struct {
	ID      ID
	Name    string   // as in audit entries, where they have it
	Aliases []string // other names
	Kind    Kind
	About   string   // one line
	Words   []string // the only values, nil for any
}

var actions = []string{"bump", "tunnel", "tunnel-check", "terminate"}

// Fields are those of sessions, in the order of help texts.
var Fields = [...]Field{
	{Session, "session", []string{"id"}, Text, "The identifier of the session.", nil},
	{State, "state", nil, Text, "Whether the session goes on.", []string{"open", "ended"}},
	{Stage, "stage", nil, Text, "How far an open session has come.", []string{"peek", "decide", "check", "dial", "handshake", "dialogue", "relay", "refuse"}},
	{Client, "client", nil, Address, "The client's address.", nil},
	{ClientPort, "client_port", nil, PortRange, "The client's port.", nil},
	{Host, "host", nil, Text, "The name that the client asked for: CONNECT, SOCKS, Host, or the server name.", nil},
	{SNI, "sni", nil, Text, "The server name of the ClientHello.", nil},
	{Origin, "origin", nil, Address, "The address to which the session went.", nil},
	{Port, "port", nil, PortRange, "The port to which the session went.", nil},
	{User, "user", nil, Text, "The name of the user, if a login of the session told it.", nil},
	{Intake, "intake", nil, Text, "The name of the intake.", nil},
	{Upstream, "upstream", nil, Text, "The upstream proxy.", nil},
	{Transport, "transport", nil, Text, "The transport protocol.", []string{"tcp", "quic"}},
	{Protocol, "protocol", nil, Text, "The protocol, such as tls, http or smtp.", nil},
	{StartTLS, "starttls", nil, Text, "The upgrade to TLS in a plain dialogue.", nil},
	{ALPN, "alpn", nil, Text, "The application protocol that the origin chose.", nil},
	{Rule, "rule", nil, Text, "The rule that decided.", nil},
	{Action, "action", nil, Text, "The action.", actions},
	{Would, "would", nil, Text, "The action that mode monitor did not take.", actions},
	{Event, "event", []string{"events"}, Words, "An event of the session.", nil},
	{Bypass, "bypass_by", nil, Text, "Who caused that the session passed unopened.", []string{"origin", "client", "operator"}},
	{Learned, "learned", nil, Text, "The lesson for which the session was tunneled.", nil},
	{Taught, "taught", nil, Text, "The lesson of the session.", nil},
	{Outcome, "outcome", nil, Text, "How the session was carried.", []string{"failed", "bumped", "tunneled", "plain", "terminated"}},
	{Reason, "reason", nil, Text, "Why the session ended.", nil},
	{Notice, "notice", nil, Text, "How the client was told of a refusal.", nil},
	{Refusal, "refusal", nil, Text, "How the client refused the forged certificate.", nil},
	{Verdict, "verdict", nil, Text, "The verification of the origin: ok, or why it failed.", nil},
	{Service, "service", nil, Words, "What services did, as name=result; service:name* for any result.", nil},
	{Octets, "octets", []string{"size"}, Size, "Octets of application data, both ways.", nil},
	{Sent, "sent", []string{"client_to_origin"}, Size, "Octets from the client.", nil},
	{Received, "received", []string{"origin_to_client"}, Size, "Octets from the origin.", nil},
	{Lost, "lost", nil, Size, "Octets that mirrors did not deliver.", nil},
	{Span, "duration", []string{"age"}, Duration, "How long the session lasted, or has lasted.", nil},
	{Start, "start", nil, Time, "When the session began.", nil},
	{End, "end", nil, Time, "When the session ended.", nil},
	{After, "after", nil, Time, "The session began then or later.", nil},
	{Before, "before", nil, Time, "The session began earlier.", nil},
}
