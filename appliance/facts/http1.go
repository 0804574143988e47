package facts

import (
	"bytes"
	"strconv"

	"github.com/clearspan/clearspan/decrypt/proto"
	"strings"
)

const (
	maxHead    = 64 << 10 // octets of a header section with its first line
	maxPending = 128      // requests that wait for their answer
)

// http1 follows HTTP/1.x (RFC 9112).
type http1 struct {
	s       *Session
	sides   [2]http1Side
	pending []request // whose answers are not complete, the oldest first
}

// http1Side is one direction.
type http1Side struct {
	head []byte // the beginning of a header section that came in pieces
	body body
	busy bool // body is under way
}

// request waits for its answer.
type request struct {
	Exchange
	head, connect bool // its method
}

func newHTTP1(s *Session) *http1 { return &http1{s: s} }

func (h *http1) client(p []byte) bool { return h.take(proto.ClientToOrigin, p) }
func (h *http1) origin(p []byte) bool { return h.take(proto.OriginToClient, p) }

func (h *http1) take(dir proto.Direction, p []byte) bool {
	side := &h.sides[dir]
	for len(p) > 0 {
		if side.busy {
			n, done, bad := side.body.take(p)
			if bad {
				return false
			}
			p = p[n:]
			if done {
				side.busy = false
				if dir == proto.OriginToClient {
					h.answered()
				}
			}
			continue
		}
		if len(side.head) == 0 { // an empty line before a message is none
			for len(p) > 0 && (p[0] == '\r' || p[0] == '\n') {
				p = p[1:]
			}
		}
		head, rest, ok := side.section(p)
		if !ok {
			return false
		}
		if head == nil {
			return true
		}
		if dir == proto.ClientToOrigin {
			ok = h.request(side, head)
		} else {
			ok = h.answer(side, head)
		}
		side.head = nil
		if !ok {
			return false
		}
		p = rest
	}
	return true
}

// section returns a whole header section, and what is behind it in p; nil as long
// as it is not whole, and false if it is too long.
func (side *http1Side) section(p []byte) (head, rest []byte, ok bool) {
	if len(side.head) == 0 {
		if n := headEnd(p, 0); n > 0 {
			return p[:n], p[n:], n <= maxHead
		}
	}
	from := max(0, len(side.head)-3)
	room := maxHead - len(side.head)
	if room <= 0 {
		return nil, nil, false
	}
	before := len(side.head)
	side.head = append(side.head, p[:min(len(p), room)]...)
	if n := headEnd(side.head, from); n > 0 {
		return side.head[:n], p[n-before:], true
	}
	return nil, nil, len(p) < room
}

// headEnd returns where the header section in b ends, that is not over before
// from; 0 if it goes on.
func headEnd(b []byte, from int) int {
	for i := from; ; {
		n := bytes.IndexByte(b[i:], '\n')
		if n < 0 {
			return 0
		}
		i += n + 1
		if i < len(b) && b[i] == '\n' {
			return i + 1
		}
		if i+1 < len(b) && b[i] == '\r' && b[i+1] == '\n' {
			return i + 2
		}
	}
}

// fields calls f with each field of a header section, behind its first line.
func fields(head []byte, f func(name, value []byte)) {
	_, head, _ = bytes.Cut(head, []byte{'\n'})
	for len(head) > 0 {
		var line []byte
		line, head, _ = bytes.Cut(head, []byte{'\n'})
		if name, value, ok := bytes.Cut(line, []byte{':'}); ok {
			f(name, bytes.TrimSpace(value))
		}
	}
}

func is(b []byte, word string) bool { return len(b) == len(word) && strings.EqualFold(string(b), word) }

// content reads the framing of a message from its fields. It returns false if
// they contradict each other or make no sense.
type content struct {
	chunked, length, bad bool
	octets               uint64
}

func (c *content) field(name, value []byte) {
	switch {
	case is(name, "content-length"):
		n, err := strconv.ParseUint(string(value), 10, 63)
		c.bad = c.bad || err != nil || c.length && n != c.octets
		c.length, c.octets = true, n
	case is(name, "transfer-encoding"):
		last := value[bytes.LastIndexByte(value, ',')+1:]
		c.chunked = is(bytes.TrimSpace(last), "chunked")
		c.bad = c.bad || !c.chunked
	}
}

// request notes a request, and what of it comes behind its header section.
func (h *http1) request(side *http1Side, head []byte) bool {
	line, _, _ := bytes.Cut(head, []byte{'\n'})
	method, rest, ok := bytes.Cut(bytes.TrimRight(line, "\r"), []byte{' '})
	i := bytes.LastIndexByte(rest, ' ')
	if !ok || i < 0 || !bytes.HasPrefix(rest[i+1:], []byte("HTTP/1.")) || len(h.pending) >= maxPending {
		return false
	}
	r := request{head: string(method) == "HEAD", connect: string(method) == "CONNECT"}
	keep := len(h.s.report.HTTP)+len(h.pending) < maxKept
	if keep {
		r.Method = clip(string(method), maxMethod)
		r.Host, r.Path = h.s.options.path(string(rest[:i]))
	}
	var c content
	fields(head, func(name, value []byte) {
		c.field(name, value)
		if keep && r.Host == "" && is(name, "host") {
			r.Host = clip(string(value), maxHost)
		}
	})
	if c.bad {
		return false
	}
	h.pending = append(h.pending, r)
	side.expect(c, byLength)
	return true
}

// expect has the content passed over that c tells of; otherwise: its framing if
// there is nothing that tells.
func (side *http1Side) expect(c content, otherwise framing) {
	switch {
	case c.chunked:
		side.body, side.busy = body{framing: chunked}, true
	case c.length:
		side.body, side.busy = body{framing: byLength, left: c.octets}, c.octets > 0
	default:
		side.body, side.busy = body{framing: otherwise}, otherwise == toClose
	}
}

// answer notes an answer.
func (h *http1) answer(side *http1Side, head []byte) bool {
	line, _, _ := bytes.Cut(head, []byte{'\n'})
	version, rest, _ := bytes.Cut(line, []byte{' '})
	if len(rest) < 3 || !bytes.HasPrefix(version, []byte("HTTP/1.")) || len(h.pending) == 0 {
		return false
	}
	status, err := strconv.ParseUint(string(rest[:3]), 10, 10)
	if err != nil || status < 100 {
		return false
	}
	if status < 200 && status != 101 {
		return true // another one follows
	}
	r := &h.pending[0]
	r.Status = int(status)
	var c content
	fields(head, func(name, value []byte) {
		c.field(name, value)
		if r.Method != "" && is(name, "content-type") {
			r.Type = mediaType(string(value))
		}
	})
	switch {
	case status == 101, r.connect && status < 300:
		return false // another protocol follows; close counts the exchange
	case c.bad:
		return false
	case r.head, status == 204, status == 304:
		side.body, side.busy = body{}, false
	default:
		side.expect(c, toClose)
	}
	if !side.busy {
		h.answered()
	}
	return true
}

// answered takes the oldest request for complete.
func (h *http1) answered() {
	r := h.pending[0]
	r.Length = h.sides[proto.OriginToClient].body.content
	h.s.exchanged(r.Exchange)
	if h.pending = h.pending[1:]; len(h.pending) == 0 {
		h.pending = nil
	}
}

// close counts what is not complete.
func (h *http1) close() {
	if len(h.pending) > 0 && h.sides[proto.OriginToClient].busy {
		h.answered()
	}
	for _, r := range h.pending {
		h.s.exchanged(r.Exchange)
	}
	h.pending, h.sides = nil, [2]http1Side{}
}
