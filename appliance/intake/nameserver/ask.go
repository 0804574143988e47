package nameserver

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"time"

	"github.com/miekg/dns"
)

// ask has the servers answer a query, in turn, by the client's own transport, and
// takes out of the answer what is to be taken out. It returns nil if none answers.
func (s *Server) ask(ctx context.Context, query []byte, q *dns.Msg, network string) ([]byte, result) {
	for _, server := range s.cfg.Upstream {
		answer, err := s.exchange(ctx, query, q, network, server)
		if err != nil {
			if ctx.Err() == nil {
				s.log.Debug("name server does not answer", "origin", server, "err", err)
			}
			continue
		}
		copy(answer, query[:2])
		out, changed, err := strip(answer, s.cfg.Strip)
		switch {
		case err != nil: // what cannot be looked at is not passed on
			s.log.Debug("answer of name server not understood", "origin", server, "err", err)
			continue
		case !changed:
			return answer, passed
		}
		if network == "udp" && len(out) > len(answer) { // for want of compression
			if out = truncated(answer); out == nil {
				continue
			}
		}
		return out, stripped
	}
	return nil, failed
}

// exchange sends the query to one server, from a port and with an identifier that
// nobody can know (RFC 5452, Section 9.2), and returns the answer, with that
// identifier.
func (s *Server) exchange(ctx context.Context, query []byte, q *dns.Msg, network string, server netip.AddrPort) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, network, server.String())
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	sent := bytes.Clone(query)
	rand.Read(sent[:2])
	if network == "tcp" {
		if err := writeMessage(conn, sent); err != nil {
			return nil, err
		}
		answer, err := readMessage(conn)
		if err == nil && !answers(answer, sent, q) {
			err = errors.New("answer to another query")
		}
		return answer, err
	}
	if _, err := conn.Write(sent); err != nil {
		return nil, err
	}
	buf := make([]byte, maxMessage)
	for {
		n, err := conn.Read(buf)
		if err != nil {
			return nil, err
		}
		if answers(buf[:n], sent, q) { // else one that was forged, or late
			return bytes.Clone(buf[:n]), nil
		}
	}
}

// answers reports whether p is an answer to the query that was sent.
func answers(p, sent []byte, q *dns.Msg) bool {
	if len(p) < headerOctets || p[0] != sent[0] || p[1] != sent[1] || p[2]&0x80 == 0 {
		return false
	}
	switch binary.BigEndian.Uint16(p[4:]) {
	case 0: // servers leave the question out of some failures
		return p[3]&0xf != 0
	case 1:
		name, at, err := dns.UnpackDomainName(p, headerOctets)
		asked := q.Question[0]
		return err == nil && len(p) >= at+4 && dns.CanonicalName(name) == dns.CanonicalName(asked.Name) &&
			binary.BigEndian.Uint16(p[at:]) == asked.Qtype && binary.BigEndian.Uint16(p[at+2:]) == asked.Qclass
	}
	return false
}
