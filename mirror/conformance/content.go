package conformance

import (
	"bytes"
	"strings"
)

// stream is what a direction says, as far as its protocol is concerned.
type stream struct {
	head   [24]byte // its first octets
	n      uint8    // how many of them are known
	lost   bool     // octets are missing: what follows is not understood
	at     moment   // of the first octet
	record records
	broken moment // where TLS records stop to be ones, if they do
}

// protocol is what a direction speaks.
type protocol uint8

const (
	silent protocol = iota
	tls
	http1
	http2
	other
)

func (p protocol) String() string {
	return [...]string{"nothing", "TLS", "HTTP/1", "HTTP/2", "another protocol"}[p]
}

// followContent takes the next octets of a direction whose beginning is known.
func (c *Checker) followContent(v *conversation, dir int, p []byte) {
	s := &v.halves[dir].content
	if s.lost || len(p) == 0 {
		v.dialogue = nil
		return
	}
	if s.n == 0 {
		s.at = c.now
	}
	s.n += uint8(copy(s.head[s.n:], p))
	if s.record.walk(p) && s.broken.frame == 0 {
		s.broken = c.now
	}
	c.followDialogue(v, dir, p)
}

// records walks over TLS records, RFC 8446, Section 5.1.
type records struct {
	header [5]byte
	n      uint8 // octets of the header known
	left   int   // octets of the record to come
	seen   bool  // at least one header was plausible
	done   bool  // no TLS, or no longer
}

// walk takes octets and reports whether TLS ended with them: octets that are no
// record follow one.
func (r *records) walk(p []byte) (ended bool) {
	for len(p) > 0 && !r.done {
		if skip := min(r.left, len(p)); skip > 0 {
			r.left -= skip
			p = p[skip:]
			continue
		}
		n := copy(r.header[r.n:], p)
		r.n += uint8(n)
		p = p[n:]
		if !plausibleRecord(r.header[:r.n]) {
			r.done = true
			return r.seen
		}
		if int(r.n) == len(r.header) {
			r.seen, r.n, r.left = true, 0, int(big.Uint16(r.header[3:]))
		}
	}
	return false
}

// plausibleRecord reports whether h may begin a record header.
func plausibleRecord(h []byte) bool {
	return (len(h) < 1 || h[0] >= 20 && h[0] <= 24) &&
		(len(h) < 2 || h[1] == 3) &&
		(len(h) < 3 || h[2] <= 4) &&
		(len(h) < 5 || big.Uint16(h[3:]) <= 1<<14+2048)
}

var requests = [][]byte{
	[]byte("GET "), []byte("POST "), []byte("HEAD "), []byte("PUT "), []byte("DELETE "), []byte("OPTIONS "), []byte("PATCH "),
	[]byte("TRACE "), []byte("CONNECT "), []byte("PROPFIND "), []byte("PROPPATCH "), []byte("MKCOL "), []byte("COPY "), []byte("MOVE "),
	[]byte("LOCK "), []byte("UNLOCK "), []byte("REPORT "), []byte("SEARCH "), []byte("HTTP/1."),
}

// speaks tells the protocol from the first octets.
func (s *stream) speaks() protocol {
	head := s.head[:s.n]
	switch {
	case s.n == 0:
		return silent
	case s.record.seen:
		return tls
	case bytes.HasPrefix(head, []byte("PRI * HTTP/2.0")):
		return http2
	}
	for _, request := range requests {
		if bytes.HasPrefix(head, request) {
			return http1
		}
	}
	return other
}

// judgeContent judges what a conversation said, when it is left.
func (c *Checker) judgeContent(v *conversation) {
	client, origin := &v.halves[fromClient].content, &v.halves[fromOrigin].content
	says, answers := client.speaks(), origin.speaks()
	if v.mail {
		c.judged[STARTTLS]++
	}
	if says == silent && answers == silent {
		return
	}
	for _, rule := range []Rule{TLSHello, TLS, HTTP2} {
		c.judged[rule]++
	}
	at, dir := client.at, fromClient
	if says == silent || answers != silent && origin.at.frame < client.at.frame {
		at, dir = origin.at, fromOrigin
	}
	if says == tls || answers == tls {
		c.judgeTLS(v, at, dir)
		return
	}
	if says == http2 {
		if o := c.hitAt(HTTP2, v, fromClient, client.at); o != nil {
			o.Text = "connection preface of HTTP/2"
		}
	}
	c.judgePort(v, at, dir)
}

// judgeTLS judges a conversation in which a direction begins with TLS; dir began
// it, at at.
func (c *Checker) judgeTLS(v *conversation, at moment, dir int) {
	for broken := range v.halves {
		if s := &v.halves[broken].content; s.broken.frame != 0 {
			if o := c.hitAt(TLSHello, v, broken, s.broken); o != nil {
				o.Text = "cleartext follows TLS records"
			}
			return
		}
	}
	for plain := range v.halves {
		if s := &v.halves[plain].content; s.n > 0 && !s.record.seen {
			if o := c.hitAt(TLSHello, v, plain, s.at); o != nil {
				o.Text = "cleartext here, TLS in the other direction"
			}
			return
		}
	}
	if o := c.hitAt(TLS, v, dir, at); o != nil {
		o.Text = "TLS from the first octet"
	}
}

// firstWord returns the first word of a line in upper case, and the rest.
func firstWord(line string) (first, rest string) {
	first, rest, _ = strings.Cut(strings.TrimSpace(line), " ")
	return strings.ToUpper(first), rest
}
