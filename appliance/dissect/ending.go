package dissect

// Ending is how a message ended.
type Ending uint8

const (
	// Complete: the protocol says that the message is over. It may have holes.
	Complete Ending = iota
	// Cut: the session ended before the message did.
	Cut
	// Cancelled: an end reset the stream of HTTP/2.
	Cancelled
	// Lost: a gap hides where the message ends.
	Lost
	// Unread: the session was not read on, see [Cause].
	Unread
)

var endings = [...]string{"complete", "cut", "cancelled", "lost", "unread"}

// String returns a fixed word, such as "complete".
func (e Ending) String() string {
	if int(e) < len(endings) {
		return endings[e]
	}
	return "unknown"
}

// Outcome is what became of a login.
type Outcome uint8

const (
	// Unanswered: no answer came.
	Unanswered Outcome = iota
	Granted
	Refused
)

var outcomes = [...]string{"unanswered", "granted", "refused"}

// String returns a fixed word, such as "granted".
func (o Outcome) String() string {
	if int(o) < len(outcomes) {
		return outcomes[o]
	}
	return "unknown"
}

// Cause is why a session is not read on.
type Cause uint8

const (
	reading Cause = iota
	// StopEnded: the session is over.
	StopEnded
	// StopUnknown: its protocol is none that the package reads.
	StopUnknown
	// StopUpgraded: another protocol begins, behind a granted CONNECT or upgrade, and it is
	// none that the package reads, or nobody asks for contents.
	StopUpgraded
	// StopBroken: the octets break the protocol.
	StopBroken
	// StopBound: the session exceeds a bound of the reader.
	StopBound
	// StopGap: what follows a gap cannot be read.
	StopGap
	// StopEncrypted: a part of the session is encrypted.
	StopEncrypted
	// StopPacked: a part of the session is compressed, and the package does not read that.
	StopPacked
)

var causes = [...]string{"reading", "ended", "unknown", "upgraded", "broken", "bound", "gap", "encrypted", "packed"}

// String returns a fixed word, such as "upgraded".
func (c Cause) String() string {
	if int(c) < len(causes) {
		return causes[c]
	}
	return "unknown"
}

// ending returns how messages end that are open when a session stops.
func (c Cause) ending() Ending {
	switch c {
	case StopEnded, StopUpgraded:
		return Cut
	case StopGap:
		return Lost
	}
	return Unread
}
