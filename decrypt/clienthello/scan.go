package clienthello

import "errors"

// MaxSize is the most octets, record headers included, that a hello may take.
const MaxSize = 64 << 10

// Outcomes of [Parse], [Complete] and [Scanner.Scan]. They are returned as they
// are, never wrapped.
var (
	// ErrShort: what there is may become a hello; read more and ask again.
	ErrShort = errors.New("client hello is incomplete")
	// ErrNotTLS: the octets do not begin with a ClientHello. Other messages of TLS
	// and SSLv2 hellos count as that, too.
	ErrNotTLS = errors.New("not a TLS client hello")
	// ErrMalformed: a ClientHello begins, and breaks the rules of its encoding.
	ErrMalformed = errors.New("malformed client hello")
	// ErrUnexpected: a ClientHello begins, and there is a record in it or behind it
	// that has no place there.
	ErrUnexpected = errors.New("unexpected record with the client hello")
	// ErrOverflow: a record is longer than records may be.
	ErrOverflow = errors.New("record over 16 KiB in the client hello")
	// ErrTooLong: the hello needs more than MaxSize octets.
	ErrTooLong = errors.New("client hello over 64 KiB")
)

const (
	recordHeader    = 5       // type, version, length (RFC 8446, Section 5.1)
	maxFragment     = 1 << 14 // octets of a TLSPlaintext fragment
	handshakeHeader = 4       // type, 24-bit length (RFC 8446, Section 4)

	typeHandshake   = 22
	typeClientHello = 1
)

// Scanner finds the end of a hello in octets that arrive piecemeal. It looks at
// record headers and the handshake length only, at each record once, so that a
// hello fed octet by octet costs little. The zero value is ready. It is not safe
// for concurrent use.
type Scanner struct {
	off    int                   // offset of the first record that is not complete yet
	got    int                   // handshake octets in the records before off
	header [handshakeHeader]byte // of the message, as far as it has been seen
	need   int                   // length of the message with its header; 0 while unknown
}

// Scan borrows b, which begins with the connection's first octet and holds at
// least what it held in the call before. It returns the number of octets of the
// records that hold the hello, or 0 and [ErrShort], [ErrNotTLS], [ErrUnexpected],
// [ErrOverflow] or [ErrTooLong]. After an answer other than ErrShort the same answer
// comes again.
func (s *Scanner) Scan(b []byte) (n int, err error) {
	for s.need == 0 || s.got < s.need {
		if err := s.record(b[s.off:]); err != nil {
			return 0, err
		}
	}
	if s.got > s.need {
		// The message ends its record: what a client sends next waits for the
		// server's answer, or has another key (RFC 8446, Section 5.1).
		return 0, ErrUnexpected
	}
	return s.off, nil
}

// record steps over the record at the beginning of b.
func (s *Scanner) record(b []byte) error {
	if err := s.checkHeader(b); err != nil {
		return err
	}
	if len(b) < recordHeader {
		return ErrShort
	}
	length := int(b[3])<<8 | int(b[4])
	switch { // RFC 8446, Section 5.1
	case length == 0:
		return ErrUnexpected
	case length > maxFragment:
		return ErrOverflow
	}
	fragment := b[recordHeader:min(len(b), recordHeader+length)]
	if s.got < handshakeHeader {
		copy(s.header[s.got:], fragment)
	}
	seen := s.got + len(fragment)
	if seen > 0 && s.header[0] != typeClientHello {
		return ErrNotTLS
	}
	if seen >= handshakeHeader {
		s.need = handshakeHeader + int(s.header[1])<<16 + int(s.header[2])<<8 + int(s.header[3])
		if s.need+recordHeader > MaxSize {
			return ErrTooLong
		}
	}
	if s.off+recordHeader+length > MaxSize {
		return ErrTooLong
	}
	if len(fragment) < length {
		return ErrShort
	}
	s.off += recordHeader + length
	s.got += length
	return nil
}

// checkHeader judges as much of a record's type and version as b holds. The
// minor version means nothing (RFC 8446, Section 5.1).
func (s *Scanner) checkHeader(b []byte) error {
	if (len(b) < 1 || b[0] == typeHandshake) && (len(b) < 2 || b[1] == 3) {
		return nil
	}
	if s.off == 0 {
		return ErrNotTLS
	}
	return ErrUnexpected // another record type between the fragments
}

// Complete is [Scanner.Scan] on a fresh scanner.
func Complete(b []byte) (n int, err error) {
	var s Scanner
	return s.Scan(b)
}

// message gathers the handshake body from the complete records in b. It returns
// a part of b if there is only one record.
func message(b []byte) []byte {
	length := int(b[3])<<8 | int(b[4])
	if len(b) == recordHeader+length {
		return b[recordHeader+handshakeHeader:]
	}
	body := make([]byte, 0, len(b))
	for len(b) > 0 {
		length = int(b[3])<<8 | int(b[4])
		body = append(body, b[recordHeader:recordHeader+length]...)
		b = b[recordHeader+length:]
	}
	return body[handshakeHeader:]
}
