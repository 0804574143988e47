package http1

import "bytes"

// MaxRepaired is how long a head may be that is repaired, in octets. Origins send longer
// ones than [MaxHead], browsers take them.
const MaxRepaired = 256 << 10

// Repair returns the head of a response as a strict reader takes it, where its sender's
// meaning is not in doubt. A head that needs no repair is returned as it is, else the
// result is a copy. It borrows head, as [Head] finds it in mode [Loose].
//
//   - White space before a colon is removed (RFC 9112, Section 5.1).
//   - A line that ends with LF alone ends with CRLF (Section 2.2).
//   - A folded line goes on behind a blank (Section 5.2).
//   - The coding "identity", which HTTP no longer has, is removed (RFC 2616, Section 3.6).
//   - Of a list of equal lengths, one stays (RFC 9110, Section 8.6).
//
// All else stays, and a strict reader refuses it. Requests are not repaired: a server
// answers them with an error.
func Repair(head []byte) []byte {
	if sound(head) {
		return head
	}
	line, n, _ := cutLine(head)
	out := make([]byte, 0, len(head)+len(head)/8)
	out = append(append(out, bytes.TrimRight(line, " \t")...), crlf...)
	first := len(out)
	for f := range Fields(head[n:]) {
		switch {
		case f.Fault == Folded && len(out) > first:
			out = append(append(append(out[:len(out)-len(crlf)], ' '), f.Value...), crlf...)
		case Is(f.Name, "transfer-encoding") && Is(f.Value, "identity"):
		default:
			out = appendRepaired(out, &f)
		}
	}
	return append(out, crlf...)
}

// sound reports whether a head needs no repair.
func sound(head []byte) bool {
	_, n, bare := cutLine(head)
	if bare || bytes.HasSuffix(head, []byte("\n\n")) {
		return false
	}
	for f := range Fields(head[n:]) {
		switch {
		case f.Fault != Sound,
			Is(f.Name, "transfer-encoding") && Is(f.Value, "identity"),
			Is(f.Name, "content-length") && bytes.IndexByte(f.Value, ',') >= 0:
			return false
		}
	}
	return true
}

// appendRepaired appends a field line.
func appendRepaired(out []byte, f *Field) []byte {
	line, _, _ := cutLine(f.Line)
	switch {
	case f.Fault == BadName && len(f.Name) > 0 && tokenLen(f.Name) == len(f.Name) && bytes.IndexByte(line, ':') > 0:
		return append(append(append(append(out, f.Name...), ": "...), f.Value...), crlf...)
	case Is(f.Name, "content-length"):
		if one, ok := oneOf(f.Value); ok {
			return append(append(append(append(out, f.Name...), ": "...), one...), crlf...)
		}
	}
	return append(append(out, line...), crlf...)
}

// oneOf returns the member of a list whose members are all the same.
func oneOf(list []byte) (one []byte, ok bool) {
	for member := range bytes.SplitSeq(list, comma) {
		member = Trim(member)
		if one != nil && !bytes.Equal(one, member) {
			return nil, false
		}
		one = member
	}
	return one, true
}

const crlf = "\r\n"
