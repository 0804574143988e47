package decrypt

// Content says what the octets handed to a tap are.
type Content uint8

const (
	// Decrypted is the cleartext of a bumped session.
	Decrypted Content = iota
	// Plain never was encrypted.
	Plain
	// Upgrade is the part of a plain dialogue that negotiates TLS, such as the
	// STARTTLS capability, command and reply. It was relayed like the rest.
	Upgrade
	// Tunneled is TLS that is passed on unopened.
	Tunneled
)

var contentNames = [...]string{"decrypted", "plain", "upgrade", "tunneled"}

// String returns the name used in configuration and metrics.
func (c Content) String() string {
	if int(c) < len(contentNames) {
		return contentNames[c]
	}
	return "unknown"
}

// Ending says how one direction of a session ended.
type Ending uint8

const (
	// Finished is an orderly end: close_notify or a TCP FIN.
	Finished Ending = iota
	// Reset is a TCP RST, a fatal alert, a time-out: everything else.
	Reset
)

// Tap consumes cleartext. It never alters a session; whether it may delay one
// is the tap's own documented choice. Several sessions call it concurrently.
type Tap interface {
	// Open is called once per session, when its first cleartext is at hand and
	// before any of it is relayed. It may return nil: the session has no stream.
	Open(s *Session) Stream
}

// Stream receives the cleartext of one session. The two directions call it
// concurrently. Octets are handed over before they are relayed, so that cause
// precedes effect.
type Stream interface {
	// Data borrows p until it returns. Octets handed over in one call were
	// relayed together.
	Data(dir Direction, content Content, p []byte)
	// End is called at most once a direction, after its last Data. Reset ends
	// both directions.
	End(dir Direction, how Ending)
	// Close is called once, last.
	Close()
}

// Blind is a [Stream] that needs no octets, but counts them: the kernel may carry a
// tunnel that has one. The two directions call it concurrently.
type Blind interface {
	Stream
	// Passed is Data for octets that only the kernel saw.
	Passed(dir Direction, octets uint64)
}

// Part is a run of N octets of one kind.
type Part struct {
	N       int
	Content Content
}

// Assembler is a [Stream] that takes octets of several kinds in one call, so that
// what is left when some are taken out can stay together.
type Assembler interface {
	// Assemble is Data for octets that were relayed together. The parts cover p; it
	// borrows both.
	Assemble(dir Direction, parts []Part, p []byte)
}
