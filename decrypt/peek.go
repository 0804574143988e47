package decrypt

import (
	"context"
	"errors"
	"time"

	"github.com/clearspan/clearspan/decrypt/clienthello"
	"github.com/clearspan/clearspan/decrypt/internal/leg"
	"github.com/clearspan/clearspan/decrypt/sniff"
)

// peek waits for the client's first octets. A client that says nothing for a moment may
// wait for the origin to speak.
func (s *session) peek(context.Context) (stage, error) {
	if limit := s.engine.cfg.Limits.Pending; limit > 0 {
		if !s.engine.halfOpen.take(s.account.Client.Addr(), limit) {
			return stageEnd, fail(reasonPending, nil, 0)
		}
		s.halfOpen = true
	}
	if s.announced(true) {
		if s.opening = opensData; s.data.protected {
			s.opening = opensSecured
		}
		return stageDecide, nil
	}
	err := s.awaitClient(s.engine.cfg.Silence)
	if leg.IsTimeout(err) {
		err = s.client.Fill(false) // the client has spoken if it is we who are late
	}
	switch {
	case err == nil:
		return s.recognize(), nil
	case errors.Is(err, leg.ErrAgain):
		s.opening = opensSilent
		return stageDecide, nil
	}
	return stageEnd, helloFailure(err)
}

// hold waits for a silent client that the policy terminates: a name may still change
// that. Nothing goes to the origin before.
func (s *session) hold(context.Context) (stage, error) {
	err := s.awaitClient(s.engine.cfg.Client.HandshakeTimeout)
	switch {
	case err == nil:
		return s.recognize(), nil
	case leg.IsTimeout(err):
		return stageTerminate, nil
	}
	return stageEnd, helloFailure(err)
}

// awaitClient waits for an octet of the client.
func (s *session) awaitClient(most time.Duration) error {
	s.client.SetReadDeadline(time.Now().Add(most))
	defer s.client.SetReadDeadline(time.Time{})
	return s.client.Await()
}

// recognize tells from the first octets of a client that has spoken first what the
// session begins with.
func (s *session) recognize() stage {
	proto := s.sniff(s.client, sniff.Client, s.engine.sniffTimeout())
	if proto == sniff.TLS {
		return stageHello
	}
	s.account.Protocol = proto.String()
	switch proto {
	case sniff.HTTP, sniff.HTTP2, sniff.SSH, sniff.RDP, sniff.SOCKS:
		s.account.Host, s.doubt = s.requestedHost(proto)
		s.opening = opensPlain
	default:
		s.opening = opensDialogue // whoever began it
	}
	return stageDecide
}

// readHello peeks at the client's whole ClientHello without consuming it, over any
// number of records and segments. The origin leg may be open already: after STARTTLS, or
// if the client was slow.
func (s *session) readHello(ctx context.Context) (stage, error) {
	hello, err := s.peekHello()
	if err != nil {
		return stageEnd, helloFailure(err)
	}
	s.begins()
	s.opening = opensTLS
	if s.account.Protocol == "" {
		s.account.Protocol = sniff.TLS.String()
	}
	s.meet(hello)
	s.stopLookup = s.lookUp(ctx)
	return stageDecide, nil
}

func (s *session) peekHello() (*clienthello.Hello, error) {
	s.client.SetReadDeadline(time.Now().Add(s.engine.cfg.Client.HandshakeTimeout))
	defer s.client.SetReadDeadline(time.Time{})
	for {
		_, err := clienthello.Complete(s.client.Unread())
		if err == nil {
			break
		}
		if !errors.Is(err, clienthello.ErrShort) {
			return nil, err
		}
		if err := s.client.Fill(true); err != nil {
			return nil, err
		}
	}
	hello, _, err := clienthello.Parse(s.client.Unread())
	return hello, err
}

// recordHandshake is the type of a record that holds a hello (RFC 8446, Section 5.1).
const recordHandshake = 22

// sniffTimeout is how long a client may take over octets that do not tell its
// protocol: a host rule is not evaded by sending slowly, and a protocol nobody knows
// does not wait for long.
func (e *Engine) sniffTimeout() time.Duration { return 5 * e.cfg.Silence }

// sniff tells the protocol of a leg's unread octets, reading more for at most
// that long where they do not decide. A client that has sent no more than the
// first octet of a hello is taken for one of TLS: sent octet by octet, a hello must not
// pass unopened.
func (s *session) sniff(l *leg.Leg, tell func([]byte) (sniff.Protocol, bool), wait time.Duration) sniff.Protocol {
	l.SetReadDeadline(time.Now().Add(wait))
	defer l.SetReadDeadline(time.Time{})
	for {
		p, more := tell(l.Unread())
		if !more {
			return p
		}
		err := l.Fill(true)
		if leg.IsTimeout(err) { // what has come in time counts, if it is we who are late
			l.SetReadDeadline(time.Time{})
			err = l.Fill(false)
			l.SetReadDeadline(time.Unix(1, 0))
		}
		if err != nil { // an end is met again by who reads next
			if l == s.client && l.Unread()[0] == recordHandshake {
				return sniff.TLS
			}
			return p
		}
	}
}

// requestedHost reads the client's first request for its host, if the protocol is HTTP.
// The host is in doubt if the request does not come in time. A client of HTTP/2 may wait
// for the origin's settings: it has less.
func (s *session) requestedHost(proto sniff.Protocol) (host string, doubt bool) {
	find, wait := sniff.Host, s.engine.cfg.Client.HandshakeTimeout
	switch proto {
	case sniff.HTTP:
	case sniff.HTTP2:
		find, wait = sniff.Authority, s.engine.sniffTimeout()
	default:
		return "", false
	}
	s.client.SetReadDeadline(time.Now().Add(wait))
	defer s.client.SetReadDeadline(time.Time{})
	for {
		host, doubt, more := find(s.client.Unread())
		if !more || s.client.Fill(true) != nil {
			return host, doubt
		}
	}
}
