package http1

// Mode is how much a reader takes.
type Mode uint8

const (
	// Strict refuses what two readers could take differently. It is for readers that
	// pass messages on.
	Strict Mode = iota
	// Loose is for readers that only watch. It takes LF as a line end, white space in
	// the places of single blanks, folded lines, and contradictions that RFC 9112,
	// Section 6.3 resolves.
	Loose
)

// Fault is why octets are refused. It is an error unless it is [Sound].
type Fault uint8

const (
	// Sound octets have no fault.
	Sound Fault = iota
	// BadStart: the start line is malformed, or there is none.
	BadStart
	// BadVersion: the version is not 1.0 or 1.1.
	BadVersion
	// BareCR: a CR stands without LF.
	BareCR
	// BareLF: a line ends with LF alone.
	BareLF
	// Control: a line holds a control octet, such as NUL.
	Control
	// Folded: a field line begins with white space (RFC 9112, Section 5.2).
	Folded
	// BadName: the name of a field is not a token, or has white space behind it.
	BadName
	// HeadSize: a field section is too long.
	HeadSize
	// BadLength: a Content-Length is not a number below 10^18.
	BadLength
	// DuplicateLength: lengths differ, or a request has more than one.
	DuplicateLength
	// LengthAndCoding: a message has Content-Length and Transfer-Encoding.
	LengthAndCoding
	// BadCoding: a Transfer-Encoding is not "chunked". If the mode is [Loose]: chunked
	// is not the last coding of a request.
	BadCoding
	// OldCoding: a Transfer-Encoding in HTTP/1.0.
	OldCoding
	// BadHost: the Host is missing, there twice, or in doubt.
	BadHost
	// ConnectBody: a CONNECT request has content.
	ConnectBody
	// BadChunk: the chunked coding is malformed.
	BadChunk
	// BadTrailer: a trailer sets a field that trailers may not set.
	BadTrailer
)

var faults = [...]string{
	"sound", "bad-start-line", "bad-version", "bare-cr", "bare-lf", "control-octet", "folded-line", "bad-field-name",
	"header-size", "bad-length", "duplicate-length", "length-and-coding", "bad-coding", "coding-in-http10", "bad-host",
	"connect-body", "bad-chunk", "bad-trailer",
}

// String returns a fixed word, such as "bare-lf".
func (f Fault) String() string {
	if int(f) < len(faults) {
		return faults[f]
	}
	return "unknown"
}

// Error implements error.
func (f Fault) Error() string { return "malformed HTTP: " + f.String() }
