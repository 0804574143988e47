package object

import (
	"bytes"
	"strings"

	"github.com/clearspan/clearspan/appliance/object/name"
)

// transferred returns the stage that takes off a transfer encoding of mail.
func (r *reading) transferred(encoding string, next stage) stage {
	switch strings.ToLower(strings.TrimSpace(encoding)) {
	case "base64":
		return &base64Stage{next: next}
	case "quoted-printable":
		return &quotedStage{next: next}
	case "x-uuencode", "x-uue", "uuencode":
		return newUUStage(next)
	}
	return next // 7bit, 8bit, binary
}

// base64Stage reads RFC 2045, Section 6.8: octets beyond the alphabet are passed over, also
// padding in the middle, which mailing lists leave where they join parts.
type base64Stage struct {
	next  stage
	bits  uint32
	count int // sextets in bits
	out   []byte
	lost  bool   // there was a hole, whose length is not known exactly
	gone  uint64 // characters that are lost, and those behind them up to the end of the line
	url   bool   // - and _ stand for + and / (RFC 4648, Section 5)
}

var sextets = func() (t [256]byte) {
	for i := range t {
		t[i] = 0xff
	}
	for i, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/") {
		t[c] = byte(i)
	}
	return t
}()

func (b *base64Stage) write(p []byte) {
	if b.gone > 0 {
		if p = b.resync(p); len(p) == 0 {
			return
		}
	}
	out := b.out[:0]
	bits, count := b.bits, b.count
	for _, c := range p {
		v := sextets[c]
		if v == 0xff {
			if b.url && c == '-' {
				c = '+'
			} else if b.url && c == '_' {
				c = '/'
			}
			v = sextets[c]
		}
		if v == 0xff {
			if c == '=' {
				out = flushSextets(out, bits, count)
				bits, count = 0, 0
			}
			continue
		}
		bits = bits<<6 | uint32(v)
		if count++; count == 4 {
			out = append(out, byte(bits>>16), byte(bits>>8), byte(bits))
			bits, count = 0, 0
		}
	}
	b.bits, b.count, b.out = bits, count, out
	if len(out) > 0 {
		b.next.write(out)
	}
}

// flushSextets appends the octets of an incomplete group.
func flushSextets(out []byte, bits uint32, count int) []byte {
	switch count {
	case 2:
		return append(out, byte(bits>>4))
	case 3:
		return append(out, byte(bits>>10), byte(bits>>2))
	}
	return out
}

// hole goes on behind the next line end: groups of four characters begin there.
func (b *base64Stage) hole(n uint64) {
	b.gone += n + uint64(b.count)
	b.bits, b.count, b.lost = 0, 0, true
}

// maxResync is how many characters are passed over. What has no line ends goes on anywhere.
const maxResync = 1000

// resync passes over the rest of a line behind a hole, and tells of the hole. Lines have 76
// characters and a line end for 57 octets.
func (b *base64Stage) resync(p []byte) []byte {
	n := bytes.IndexByte(p, '\n') + 1
	if n == 0 && b.gone < maxResync {
		b.gone += uint64(len(p))
		return nil
	}
	b.gone += uint64(n)
	b.next.hole((b.gone*57 + 77) / 78)
	b.gone = 0
	return p[n:]
}

func (b *base64Stage) close(e Ending) {
	if out := flushSextets(nil, b.bits, b.count); len(out) > 0 {
		b.next.write(out)
	}
	if b.gone > 0 {
		b.next.hole((b.gone*57 + 77) / 78)
	}
	if b.lost {
		e = max(e, Cut)
	}
	b.next.close(e)
}

// quotedStage reads quoted-printable, RFC 2045, Section 6.7.
type quotedStage struct {
	next stage
	held []byte // an escape, or blanks that may be at the end of a line
	out  []byte
}

// maxHeld bounds blanks that wait for the end of their line.
const maxHeld = 1000

func (q *quotedStage) write(p []byte) {
	out := q.out[:0]
	for _, c := range p {
		out = q.octet(out, c)
	}
	q.out = out
	if len(out) > 0 {
		q.next.write(out)
	}
}

func (q *quotedStage) octet(out []byte, c byte) []byte {
	for {
		switch {
		case len(q.held) == 0 && (c == '=' || c == ' ' || c == '\t'):
			q.held = append(q.held, c)
			return out
		case len(q.held) == 0:
			return append(out, c)
		case q.held[0] == '=':
			return q.escape(out, c)
		case c == ' ' || c == '\t':
			if q.held = append(q.held, c); len(q.held) > maxHeld {
				out, q.held = append(out, q.held...), q.held[:0]
			}
			return out
		case c == '\r' || c == '\n': // blanks at the end of a line were added on the way
			q.held = q.held[:0]
		default:
			out, q.held = append(out, q.held...), q.held[:0]
		}
	}
}

// escape goes on behind an equals sign: two digits, or the end of a line that goes on.
func (q *quotedStage) escape(out []byte, c byte) []byte {
	switch {
	case c == '\n':
		q.held = q.held[:0]
		return out
	case len(q.held) == 1 && (c == '\r' || c == ' ' || c == '\t'):
		return out // in front of the line end
	}
	q.held = append(q.held, c)
	if len(q.held) < 3 && name.HexDigit(c) < 16 {
		return out
	}
	if len(q.held) == 3 && name.HexDigit(c) < 16 {
		out = append(out, name.HexDigit(q.held[1])<<4|name.HexDigit(c))
	} else {
		out = append(out, q.held...) // no escape after all
	}
	q.held = q.held[:0]
	return out
}

func (q *quotedStage) hole(n uint64) {
	q.held = q.held[:0]
	q.next.hole(n)
}

func (q *quotedStage) close(e Ending) {
	if len(q.held) > 0 && q.held[0] != '=' {
		q.next.write(q.held)
	}
	q.next.close(e)
}
