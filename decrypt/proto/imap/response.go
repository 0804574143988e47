package imap

import (
	"strconv"

	"github.com/clearspan/clearspan/decrypt/proto/line"
)

// Kind is the kind of a response.
type Kind uint8

const (
	Tagged   Kind = iota // the answer to a command
	Untagged             // "*": data, or a status that answers no command
	Continue             // "+": the client may go on (RFC 9051, Section 7.6)
)

// Status is the word of a status response (RFC 9051, Section 7.1).
type Status uint8

const (
	NoStatus Status = iota
	OK
	NO
	BAD
	PREAUTH
	BYE
)

var statuses = [...]string{OK: "OK", NO: "NO", BAD: "BAD", PREAUTH: "PREAUTH", BYE: "BYE"}

// String returns the word on the wire, "" for [NoStatus].
func (s Status) String() string {
	if int(s) < len(statuses) {
		return statuses[s]
	}
	return ""
}

// StatusOf returns the status that a word is, in any case.
func StatusOf(word []byte) Status {
	for s := OK; s <= BYE; s++ {
		if line.Is(word, statuses[s]) {
			return s
		}
	}
	return NoStatus
}

// CouldBeStatus reports whether text, which is what stands behind a tag or "*" and is
// perhaps incomplete, begins with a status, or could when it goes on.
func CouldBeStatus(text []byte) bool {
	for s := OK; s <= BYE; s++ {
		if line.CouldBe(text, statuses[s], line.Blanks) {
			return true
		}
	}
	return false
}

// Response is the first line of a response. Its parts refer to the line.
type Response struct {
	Kind   Kind
	Tag    []byte // of a tagged response
	Number uint64 // before the word of an untagged response, 0 without
	Word   []byte // OK, FETCH, CAPABILITY ...
	Status Status
	Text   []byte // behind the word; of [Continue] all behind the sign
}

// ParseResponse reads the first line of a response, with or without its end. ok is false
// for a tagged response without a status and for an empty line.
func ParseResponse(text []byte) (r Response, ok bool) {
	first, rest := line.Word(text, line.Blanks)
	switch {
	case len(first) == 0:
		return r, false
	case first[0] == '+':
		return Response{Kind: Continue, Text: rest}, true
	case string(first) == "*":
		r.Kind = Untagged
	default:
		r.Tag = first
	}
	r.Word, r.Text = line.Word(rest, line.Blanks)
	if n, err := strconv.ParseUint(string(r.Word), 10, 63); err == nil && r.Kind == Untagged {
		r.Number = n
		r.Word, r.Text = line.Word(r.Text, line.Blanks)
	}
	r.Status = StatusOf(r.Word)
	return r, r.Kind == Untagged || r.Status == OK || r.Status == NO || r.Status == BAD
}

// Literals reports whether the response may hold literals: it does not end with text for
// people.
func (r *Response) Literals() bool { return r.Kind == Untagged && r.Status == NoStatus }
