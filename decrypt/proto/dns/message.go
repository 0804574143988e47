// Package dns reads messages of DNS (RFC 1035), as they stand in a datagram, in a stream of
// TCP behind their length, and in bodies of application/dns-message (RFC 8484). It tells what
// was asked, and what the answer is.
package dns

import (
	"net/netip"
	"strconv"
	"strings"

	"golang.org/x/net/dns/dnsmessage"
)

// Message is a query or its response.
type Message struct {
	ID       uint16
	Response bool
	Name     string // that is asked for, without the final dot
	Type     string // such as "AAAA"; a number if it has no name here
	Code     int    // of a response: 0 is success, 3 no such name
	Cut      bool   // it does not fit the datagram
	// Answers are addresses and names in the order of the response, at most [MaxAnswers].
	Answers []string
}

// MaxAnswers bounds the answers of a message.
const MaxAnswers = 32

const maxText = 255 // octets of an answer in words

// Parse reads a whole message with one question. It borrows b.
func Parse(b []byte) (m Message, ok bool) {
	var p dnsmessage.Parser
	h, err := p.Start(b)
	if err != nil || h.OpCode != 0 {
		return m, false
	}
	q, err := p.Question()
	if err != nil || p.SkipAllQuestions() != nil {
		return m, false
	}
	m = Message{ID: h.ID, Response: h.Response, Name: name(q.Name), Type: typeName(q.Type), Code: int(h.RCode), Cut: h.Truncated}
	if !h.Response {
		// Queries have nothing else, but for an additional record or two.
		_, err := p.AnswerHeader()
		return m, err == dnsmessage.ErrSectionDone
	}
	for len(m.Answers) < MaxAnswers {
		r, err := p.AnswerHeader()
		if err != nil {
			return m, err == dnsmessage.ErrSectionDone || h.Truncated
		}
		a, err := answer(&p, r.Type)
		if err != nil {
			return m, false
		}
		if a != "" {
			m.Answers = append(m.Answers, a)
		}
	}
	return m, true
}

// answer reads the record at hand. It is empty if it says nothing that people look for.
func answer(p *dnsmessage.Parser, t dnsmessage.Type) (string, error) {
	switch t {
	case dnsmessage.TypeA:
		r, err := p.AResource()
		return netip.AddrFrom4(r.A).String(), err
	case dnsmessage.TypeAAAA:
		r, err := p.AAAAResource()
		return netip.AddrFrom16(r.AAAA).String(), err
	case dnsmessage.TypeCNAME:
		r, err := p.CNAMEResource()
		return name(r.CNAME), err
	case dnsmessage.TypePTR:
		r, err := p.PTRResource()
		return name(r.PTR), err
	case dnsmessage.TypeNS:
		r, err := p.NSResource()
		return name(r.NS), err
	case dnsmessage.TypeMX:
		r, err := p.MXResource()
		return name(r.MX), err
	case dnsmessage.TypeSRV:
		r, err := p.SRVResource()
		return name(r.Target) + ":" + strconv.Itoa(int(r.Port)), err
	case dnsmessage.TypeTXT:
		r, err := p.TXTResource()
		text := strings.Join(r.TXT, "")
		return text[:min(len(text), maxText)], err
	}
	return "", p.SkipAnswer()
}

// name returns a name without the final dot; the root has none but that.
func name(n dnsmessage.Name) string {
	s := n.String()
	if len(s) > 1 {
		s = strings.TrimSuffix(s, ".")
	}
	return s
}

func typeName(t dnsmessage.Type) string {
	const svcb, https = 64, 65
	switch t {
	case svcb:
		return "SVCB"
	case https:
		return "HTTPS"
	}
	if s, ok := strings.CutPrefix(t.String(), "Type"); ok {
		return s
	}
	return strconv.Itoa(int(t))
}
