package analyst

import (
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/clearspan/clearspan/appliance/dissect"
	"github.com/clearspan/clearspan/appliance/recorder/trail"
)

// lookup makes an event of a query of DNS.
func (s *session) lookup(l *dissect.Lookup) {
	e := s.event(trail.Lookup)
	e.Method, e.Host, e.Answers = bound(l.Type), text([]byte(l.Name)), text([]byte(strings.Join(l.Answers, " ")))
	switch {
	case !l.Answered:
		e.Outcome = dissect.Unanswered.String()
	case l.Code != 0:
		e.Outcome = codeName(l.Code)
	}
	s.done(e)
}

// lookupType is the type of bodies that are messages of DNS (RFC 8484).
const lookupType = "application/dns-message"

// readLookup makes an event of a response of DNS that an answer of the web holds.
func (w *writer) readLookup(size uint64) {
	if w.Type != lookupType || size != uint64(len(w.first)) {
		return
	}
	if l, ok := dissect.ReadLookup(w.first); ok && l.Answered {
		w.s.lookup(&l)
	}
}

// codes are the words for codes of responses (RFC 6895, Section 2.3).
var codes = [...]string{"", "formerr", "servfail", "nxdomain", "notimp", "refused"}

func codeName(code int) string {
	if code < len(codes) {
		return codes[code]
	}
	return "code " + strconv.Itoa(code)
}

// handshake makes an event of the handshake of a session that stays closed.
func (s *session) handshake(t *dissect.TLS) {
	e := s.event(trail.TLS)
	e.Host, e.Agent, e.Type = text([]byte(t.ServerName)), t.JA4, t.Suite
	e.Mechanism = t.Version
	if t.Alert != "" {
		e.Outcome = t.Alert
	}
	if c := t.Certificate; c != nil {
		e.Subject = text([]byte(c.Subject + ", issued by " + c.Issuer + ", until " + c.Until))
		e.Answers = text([]byte(strings.Join(append(c.Names, hex.EncodeToString(c.Fingerprint[:])), " ")))
	}
	if s.noted.sni == "" && s.noted.ja4 == "" {
		s.noted.sni, s.noted.alpn, s.noted.ja4, s.noted.tls = e.Host, text([]byte(t.ALPN)), t.JA4, t.Version
	}
	s.done(e)
}
