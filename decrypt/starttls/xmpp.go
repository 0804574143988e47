package starttls

// xmpp is the grammar of XML streams between client and server and between
// servers (RFC 6120), as far as STARTTLS (Section 5) or the end of SASL.
type xmpp struct {
	sides [2]stream
}

// stream is one direction.
type stream struct {
	markup
	features bool   // in the list of features
	hidden   int    // depth at which an element that belongs to the negotiation began
	element  string // which it is, "" for none
}

func (x *xmpp) client(d *Dialogue, w *writer, p []byte) { x.sides[0].take(d, w, p, x.asked) }
func (x *xmpp) origin(d *Dialogue, w *writer, p []byte) { x.sides[1].take(d, w, p, x.told) }

// take takes a token off p.
func (s *stream) take(d *Dialogue, w *writer, p []byte, meaning func(*Dialogue, *stream, string) bool) {
	n, k, name, long := s.next(p)
	if n == 0 {
		return
	}
	switch k {
	case directive:
		d.over(w, p)
		return
	case startTag, emptyTag:
		if name == "stream" && s.depth <= 1 {
			s.depth = 0 // a stream may begin again
		}
		if s.element == "" && meaning(d, s, name) {
			s.element, s.hidden = name, s.depth
		}
		s.depth++
	}
	w.add(n, s.element != "" && !long)
	if k == endTag || k == emptyTag {
		s.close(d)
	}
}

// close ends an element.
func (s *stream) close(d *Dialogue) {
	s.depth = max(0, s.depth-1)
	if s.features && s.depth == 1 {
		s.features = false
		d.omitted = true
	}
	if s.element == "" || s.depth > s.hidden {
		return
	}
	switch s.element {
	case "starttls":
		if s.depth == 1 { // the command
			d.state = Requested
		}
	case "proceed":
		d.granted()
	case "failure":
		d.refuse()
	}
	s.element = ""
}

// asked tells whether an element of the client that begins now belongs to the
// negotiation.
func (x *xmpp) asked(_ *Dialogue, s *stream, name string) bool {
	return s.depth == 1 && name == "starttls"
}

// told is asked for the origin.
func (x *xmpp) told(d *Dialogue, s *stream, name string) bool {
	switch {
	case s.depth == 2 && s.features && name == "starttls":
		d.offered = true
		return true
	case s.depth != 1:
		return false
	case name == "features":
		s.features = true
	case name == "success": // of SASL, behind which there is no STARTTLS (Section 5.3.1)
		d.state = Done
	case d.state == Requested:
		return name == "proceed" || name == "failure"
	}
	return false
}
