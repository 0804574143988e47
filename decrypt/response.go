package decrypt

import (
	"fmt"
	"slices"
)

// Response is what follows when an origin is found not trustworthy.
type Response uint8

const (
	// Untrusted forges under the untrusted authority: the client's own warning
	// appears.
	Untrusted Response = iota
	// Block ends the session.
	Block
	// PassOn tunnels: the client judges the origin's certificate itself.
	PassOn
)

var responses = []string{Untrusted: "untrusted", Block: "block", PassOn: "tunnel"}

// String returns the word of configurations.
func (r Response) String() string { return word("response", responses, uint8(r)) }

// MarshalText implements [encoding.TextMarshaler].
func (r Response) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (r *Response) UnmarshalText(text []byte) error { return parseWord(r, responses, text) }

// CertificateRequest is what follows when an origin asks for a client
// certificate, which a bumped session cannot give.
type CertificateRequest uint8

const (
	// TunnelRequest starts over and tunnels. A dialogue that has turned to TLS cannot
	// be started over: there it is AnswerNone, for MySQL servers ask everybody.
	TunnelRequest CertificateRequest = iota
	// BlockRequest ends the session.
	BlockRequest
	// AnswerNone sends an empty list; the origin may go on without.
	AnswerNone
)

var certificateRequests = []string{TunnelRequest: "tunnel", BlockRequest: "block", AnswerNone: "none"}

// String returns the word of configurations.
func (c CertificateRequest) String() string {
	return word("certificate request", certificateRequests, uint8(c))
}

// MarshalText implements [encoding.TextMarshaler].
func (c CertificateRequest) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (c *CertificateRequest) UnmarshalText(text []byte) error {
	return parseWord(c, certificateRequests, text)
}

// word returns the word for a value of a type that is called what.
func word(what string, words []string, value uint8) string {
	if int(value) >= len(words) {
		return fmt.Sprintf("%s(%d)", what, value)
	}
	return words[value]
}

// parseWord sets a value by its word.
func parseWord[T ~uint8](value *T, words []string, text []byte) error {
	i := slices.Index(words, string(text))
	if i < 0 {
		return fmt.Errorf("unknown value %q, want one of %q", text, words)
	}
	*value = T(i)
	return nil
}
