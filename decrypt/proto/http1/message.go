package http1

// Request is the head of a request. Its slices are parts of the head.
type Request struct {
	RequestLine
	Minor   int // 1 for HTTP/1.1, 0 for HTTP/1.0
	Host    Host
	Framing Framing
	Length  int64  // of Content-Length, -1 without one
	Fields  []byte // the field section with its empty line
}

// Response is the head of a response. Its slices are parts of the head.
type Response struct {
	StatusLine
	Minor   int     // 1 for HTTP/1.1, 0 for HTTP/1.0
	Framing Framing // as the fields tell, see [Response.ContentFor]
	Length  int64   // of Content-Length, -1 without one
	Fields  []byte  // the field section with its empty line
}

// ParseRequest reads the head of a request: request line to empty line, as [Head]
// finds it. It calls each, unless that is nil, with every field line, the folded
// included. It does not allocate.
//
// If the mode is [Strict], the fault is the first reason to refuse the head (RFC 9112,
// Sections 3, 5 and 6), and the fields behind it are not read. If it is [Loose], a
// fault means that the head is no request or that its content has no known end.
func ParseRequest(head []byte, m Mode, each func(Field)) (r Request, fault Fault) {
	fault = r.Parse(head, m, each)
	return r, fault
}

// Parse is [ParseRequest] in place: it takes less of the stack. r must be zero.
func (r *Request) Parse(head []byte, m Mode, each func(Field)) (fault Fault) {
	line, n, bare := cutLine(head)
	if n == 0 {
		return BadStart
	}
	r.Fields, r.Length = head[n:], -1
	if bare && m == Strict {
		return BareLF
	}
	if fault = r.RequestLine.parse(line, m); fault != Sound {
		return fault
	}
	if r.Minor, fault = minor(r.Version, m); fault != Sound {
		return fault
	}
	said := said{framing: framingFields{mode: m, length: -1}}
	if fault = said.read(r.Fields, each); fault != Sound {
		return fault
	}
	r.Host, r.Length = said.host.host(&r.RequestLine), said.framing.length
	if r.Framing, fault = said.framing.framing(r.Minor); fault != Sound || m == Loose {
		return fault
	}
	return r.refuse(said.host.count)
}

// refuse returns why a strict reader refuses a request whose lines are sound, and which
// has that many Host fields.
func (r *Request) refuse(hosts int) Fault {
	switch {
	case hosts > 1, hosts == 0 && r.Minor == 1, r.Host.Doubt.Doubtful(): // RFC 9112, Section 3.2
		return BadHost
	case r.Form == AuthorityForm && r.Framing.Extent != NoContent:
		return ConnectBody
	}
	return Sound
}

// ParseResponse is [ParseRequest] for the head of a response.
func ParseResponse(head []byte, m Mode, each func(Field)) (r Response, fault Fault) {
	line, n, bare := cutLine(head)
	if n == 0 {
		return r, BadStart
	}
	r.Fields, r.Length = head[n:], -1
	if bare && m == Strict {
		return r, BareLF
	}
	if r.StatusLine, fault = ParseStatusLine(line, m); fault != Sound {
		return r, fault
	}
	if r.Minor, fault = minor(r.Version, m); fault != Sound {
		return r, fault
	}
	said := said{framing: framingFields{mode: m, response: true, length: -1}}
	if fault = said.read(r.Fields, each); fault != Sound {
		return r, fault
	}
	r.Length = said.framing.length
	r.Framing, fault = said.framing.framing(r.Minor)
	return r, fault
}

// said is what the fields of one message say.
type said struct {
	framing framingFields
	host    hostFields // of a request
}

// read reads a field section, and calls each, unless that is nil, with every line.
func (s *said) read(section []byte, each func(Field)) Fault {
	var f Field
	for n := f.next(section); n > 0; n = f.next(section) {
		section = section[n:]
		if s.framing.mode == Strict && f.Fault != Sound {
			return f.Fault
		}
		if fault := s.framing.add(&f); fault != Sound {
			return fault
		}
		if !s.framing.response {
			s.host.add(&f)
		}
		if each != nil {
			each(f)
		}
	}
	return Sound
}

// ContentFor returns the framing of the content behind a response, which depends on
// the method of its request (RFC 9112, Section 6.3). Interim responses and those
// behind which another protocol begins have none.
func (r *Response) ContentFor(method []byte) Framing {
	switch {
	case r.Code < 200, r.Code == 204, r.Code == 304, string(method) == "HEAD", r.Switches(method):
		return Framing{}
	}
	return r.Framing
}

// Switches reports whether octets behind the response are no HTTP/1 any more: after
// a granted upgrade or CONNECT.
func (r *Response) Switches(method []byte) bool {
	return r.Code == 101 || string(method) == "CONNECT" && r.Code/100 == 2
}
