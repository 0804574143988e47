package adapt

import (
	"bytes"
	"context"
	"errors"
	"io"
	"time"

	"github.com/clearspan/clearspan/decrypt/proto/http1"
)

// Verdict is what all services made of a message.
type Verdict struct {
	Shown   bool   // to any service
	Header  []byte // nil: as it came
	Body    io.Reader
	Blocked bool // header and body answer the client
	Failed  bool // Blocked because a service failed

	open []io.Closer // to be closed behind the body
}

// Changed tells that the message is not the one that came.
func (v *Verdict) Changed() bool { return v.Header != nil }

// Close ends the bodies that services gave.
func (v *Verdict) Close() {
	for i := len(v.open) - 1; i >= 0; i-- {
		v.open[i].Close()
	}
	v.open = nil
}

// Adapt shows a message to all services that want it. media is its type. An error
// is one of the body's sender. The caller closes the verdict.
func (s *Session) Adapt(ctx context.Context, m Message, media []byte) (v Verdict, err error) {
	m.Client, m.Server, m.User = s.Account.Client, s.Account.Origin, s.user
	v.Body = m.Body
	n := len(s.Config.Services)
	for i := range n {
		service := &s.Config.Services[i]
		if m.Kind == Response {
			service = &s.Config.Services[n-1-i]
		}
		if !service.wants(m.Kind) {
			continue
		}
		if service.bypasses(&m, media) {
			s.note(service.Name, WordBypassed, 0)
			continue
		}
		v.Shown = true
		m.Body = v.Body
		if err := s.show(ctx, service, m, &v); err != nil {
			v.Close()
			return v, err
		}
		if v.Blocked {
			return v, nil
		}
		if v.Changed() {
			media = MediaType(http1.Section(v.Header))
			m.replace(v.Header)
		}
	}
	return v, nil
}

// replace puts a header in place of the message's.
func (m *Message) replace(header []byte) {
	m.Length = -1
	if n, ok := http1.ParseLength(http1.Find(http1.Section(header), "content-length")); ok {
		m.Length = n
	}
	if m.Kind == Request {
		m.Request = header
	} else {
		m.Response = header
	}
}

// show asks one service.
func (s *Session) show(ctx context.Context, service *Service, m Message, v *Verdict) error {
	var t *replayBuffer
	if m.Body != nil {
		t = &replayBuffer{src: m.Body, limit: s.Config.Replay, lost: !service.FailOpen}
		if m.WebSocket {
			t.limit = max(t.limit, int(m.Length))
		}
		m.Body = t
	}
	start := time.Now()
	r, err := service.Adapter.Adapt(ctx, &m)
	took := time.Since(start)
	if err == nil {
		err = sound(r, &m)
	}
	if err != nil {
		if r != nil && r.Body != nil {
			r.Body.Close()
		}
		return s.failed(ctx, service, err, took, t, v)
	}
	if t != nil {
		t.answered()
	}
	word := WordUnmodified
	switch r.Outcome {
	case Unmodified:
		if r.Bypassed {
			word = WordBypassed
		}
	case Modified:
		word, v.Header = WordModified, r.Header
	case Blocked:
		word, v.Header, v.Blocked = WordBlocked, r.Header, true
	}
	s.note(service.Name, word, took)
	if r.Finding != "" {
		s.Account.Found(service.Name, r.Finding)
	}
	v.Body = nil
	if r.Body != nil {
		v.open = append(v.open, r.Body)
		v.Body = &watched{s: s, ctx: ctx, service: service.Name, r: r.Body}
	}
	return nil
}

// failed does what is to be done when a service gave no result.
func (s *Session) failed(ctx context.Context, service *Service, err error, took time.Duration, t *replayBuffer, v *Verdict) error {
	if broken := (*BodyError)(nil); errors.As(err, &broken) {
		return broken.Err
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if service.FailOpen {
		ok := true
		if t != nil {
			v.Body, ok = t.rewind()
		}
		if ok {
			s.note(service.Name, WordFailedOpen, took)
			return nil
		}
	} else if t != nil {
		t.rewind()
	}
	s.note(service.Name, WordFailedClosed, took)
	head, body := Page(503, WhyService, false)
	v.Header, v.Body, v.Blocked, v.Failed = head, bytes.NewReader(body), true, true
	return nil
}
