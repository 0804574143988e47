package smtp

import "bytes"

// lineEnd is what stands before an octet of content.
type lineEnd uint8

const (
	noEnd lineEnd = iota
	bareCR
	bareLF
	crlf
)

// Content reads the content after DATA (RFC 5321, Section 4.5.2). The zero value
// stands at its beginning. It copies nothing.
type Content struct {
	// Ambiguous is set if a dot stood alone between line ends that are not both CRLF.
	Ambiguous bool

	started bool
	gap     bool    // octets were lost
	last    [2]byte // the last octets
	before  lineEnd // before the dot at hand
	state   dotState
	pair    [2]byte // content that p does not hold in one piece
}

// dotState is where a line that begins with a dot stands.
type dotState uint8

const (
	noDot dotState = iota
	afterDot
	afterCR  // the dot and a CR
	afterCRs // the dot and several CR
	alone    // the dot, any number of CR, and LF
)

// Next reads the beginning of p, which it borrows, and returns the number of octets
// that it read: all of p, or fewer where content is not continuous. If p is not empty,
// n is not 0. text is the content among them, without dots of transparency; it is valid
// until the next call. over is set when the last of these octets ended the content. The
// end is no content.
func (c *Content) Next(p []byte) (text []byte, n int, over bool) {
	if !c.started {
		c.started, c.last = true, [2]byte{'\r', '\n'}
	}
	if c.state == noDot || c.state == alone {
		return c.plain(p)
	}
	return c.dotted(p)
}

// Lone reports whether the octets so far end with a line that is a dot, for a server
// that takes a bare LF for a line end and passes over CR before it.
func (c *Content) Lone() bool { return c.state == alone }

// plain reads up to the next dot behind a line end.
func (c *Content) plain(p []byte) (text []byte, n int, over bool) {
	if len(p) > 0 {
		c.state = noDot
	}
	for n < len(p) {
		i := bytes.IndexByte(p[n:], '.')
		if i < 0 {
			break
		}
		n += i + 1
		before := c.endBefore(p[:n-1])
		if before == noEnd {
			continue
		}
		c.state, c.before = afterDot, before
		c.remember(p[:n])
		if before == crlf {
			return p[:n-1], n, false // the dot is one of transparency, or of the end
		}
		return p[:n], n, false
	}
	c.remember(p)
	return p, len(p), false
}

// dotted reads the octet behind a dot that follows a line end, or behind that and CR.
func (c *Content) dotted(p []byte) (text []byte, n int, over bool) {
	if len(p) == 0 {
		return nil, 0, false
	}
	octet, state, hidden := p[0], c.state, c.before == crlf
	c.state = c.behind(octet)
	c.remember(p[:1])
	switch {
	case state == afterDot && octet == '\r' && hidden:
		return nil, 1, false // the CR is perhaps of the end
	case state == afterCR && octet == '\n' && hidden:
		return nil, 1, true
	}
	c.Ambiguous = c.Ambiguous || state == afterCR || state == afterDot && octet == '\n'
	if octet == '.' && state != afterDot {
		c.state, c.before = afterDot, bareCR
	}
	if state == afterCR && hidden {
		c.pair = [2]byte{'\r', octet}
		return c.pair[:], 1, false
	}
	return p[:1], 1, false
}

// behind returns the state behind an octet in a line that begins with a dot.
func (c *Content) behind(octet byte) dotState {
	switch {
	case octet == '\r' && c.state == afterDot:
		return afterCR
	case octet == '\r':
		return afterCRs
	case octet == '\n' && c.before != bareCR:
		return alone
	}
	return noDot
}

// lost says that the octets before those that come next are lost.
func (c *Content) lost() { *c = Content{Ambiguous: c.Ambiguous, started: true, gap: true} }

// endBefore returns the line end that stands before the octet behind p.
func (c *Content) endBefore(p []byte) lineEnd {
	var last [2]byte
	copy(last[copy(last[:], c.last[min(len(p), 2):]):], p[max(0, len(p)-2):])
	switch {
	case last == [2]byte{'\r', '\n'}:
		return crlf
	case last[1] == '\n':
		return bareLF
	case last[1] == '\r':
		return bareCR
	}
	return noEnd
}

// remember keeps the last octets.
func (c *Content) remember(p []byte) {
	if len(p) == 1 {
		c.last[0], c.last[1] = c.last[1], p[0]
	} else if len(p) > 1 {
		copy(c.last[:], p[len(p)-2:])
	}
}

// Dots adds the dots of transparency to content that is sent after DATA. The zero value
// stands at its beginning.
type Dots struct {
	within bool // a line goes on,
	cr     bool // behind a CR
}

// Append appends the next piece of the content to dst, with its dots.
func (d *Dots) Append(dst, p []byte) []byte {
	for _, octet := range p {
		if octet == '.' && !d.within {
			dst = append(dst, '.')
		}
		dst = append(dst, octet)
		d.within = !d.cr || octet != '\n'
		d.cr = octet == '\r'
	}
	return dst
}

// Within reports whether the content so far does not end with its line. The end of the
// content needs CRLF before it then.
func (d *Dots) Within() bool { return d.within }
