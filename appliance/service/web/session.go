package web

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/clearspan/clearspan/decrypt"
)

// session is what both versions of HTTP share.
type session struct {
	cfg  *Config
	ctx  context.Context
	s    *decrypt.Session
	user string

	mu    sync.Mutex
	words map[string]string
}

// note records what a service did with a message.
func (s *session) note(service, word string, took time.Duration) {
	if s.cfg.Observe != nil {
		s.cfg.Observe(service, word, took)
	}
	s.mu.Lock()
	worse := severity[word] > severity[s.words[service]]
	if worse {
		s.words[service] = word
	}
	s.mu.Unlock()
	if worse {
		s.s.Served(service, word)
	}
}

// wants reports whether any service wants messages of a kind.
func (s *session) wants(kind Kind) bool {
	for i := range s.cfg.Services {
		if s.cfg.Services[i].wants(kind) {
			return true
		}
	}
	return false
}

func (s *Service) wants(kind Kind) bool {
	return kind == Request && s.Requests || kind == Response && s.Responses
}

// bypasses tells that a message is not to be shown to the service.
func (s *Service) bypasses(m *Message, media []byte) bool {
	if s.MaxBody > 0 && m.Length > s.MaxBody {
		return true
	}
	for _, stream := range s.Streams {
		if m.Kind == Response && m.Length < 0 && equal(media, stream) && accepts(m.Request, stream) {
			return true
		}
	}
	for _, b := range s.Bypass {
		prefix, any := strings.CutSuffix(b, "*")
		if len(media) == len(b) && equal(media, b) || any && len(media) >= len(prefix) && equal(media[:len(prefix)], prefix) {
			return true
		}
	}
	return false
}

// accepts reports whether a request asks for exactly that media type (RFC 9110,
// Section 12.5.1).
func accepts(request []byte, media string) bool {
	for line := range fieldLines(request) {
		c := bytes.IndexByte(line, ':')
		if c < 0 || !equal(line[:c], "accept") {
			continue
		}
		for part := range bytes.SplitSeq(line[c+1:], []byte(",")) {
			kind, _, _ := bytes.Cut(part, []byte(";"))
			if equal(trim(kind), media) {
				return true
			}
		}
	}
	return false
}

// verdict is what all services made of a message.
type verdict struct {
	shown   bool   // to any service
	header  []byte // nil: as it came
	body    io.Reader
	blocked bool // header and body answer the client

	open []io.Closer // to be closed behind the body
}

// changed tells that the message is not the one that came.
func (v *verdict) changed() bool { return v.header != nil }

func (v *verdict) close() {
	for i := len(v.open) - 1; i >= 0; i-- {
		v.open[i].Close()
	}
	v.open = nil
}

// adapt shows a message to all services that want it. media is its type. An
// error is one of the body's sender. The verdict is to be closed.
func (s *session) adapt(ctx context.Context, m Message, media []byte) (v verdict, err error) {
	m.Client, m.Server, m.User = s.s.Client, s.s.Origin, s.user
	v.body = m.Body
	n := len(s.cfg.Services)
	for i := range n {
		service := &s.cfg.Services[i]
		if m.Kind == Response {
			service = &s.cfg.Services[n-1-i]
		}
		if !service.wants(m.Kind) {
			continue
		}
		if service.bypasses(&m, media) {
			s.note(service.Name, WordBypassed, 0)
			continue
		}
		v.shown = true
		m.Body = v.body
		if err := s.show(ctx, service, m, &v); err != nil {
			v.close()
			return v, err
		}
		if v.blocked {
			return v, nil
		}
		if v.changed() {
			media, m.Length = mediaType(find(v.header, "content-type")), -1
			if n, ok := parseLength(find(v.header, "content-length")); ok {
				m.Length = n
			}
			if m.Kind == Request {
				m.Request = v.header
			} else {
				m.Response = v.header
			}
		}
	}
	return v, nil
}

// show asks one service.
func (s *session) show(ctx context.Context, service *Service, m Message, v *verdict) error {
	var t *tape
	if m.Body != nil {
		t = &tape{src: m.Body, limit: s.cfg.Replay, lost: !service.FailOpen}
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
	case Modified:
		word, v.header = WordModified, r.Header
	case Blocked:
		word, v.header, v.blocked = WordBlocked, r.Header, true
	}
	s.note(service.Name, word, took)
	if r.Finding != "" {
		s.s.Found(service.Name, r.Finding)
	}
	v.body = nil
	if r.Body != nil {
		v.open = append(v.open, r.Body)
		v.body = &watched{s: s, ctx: ctx, service: service.Name, r: r.Body}
	}
	return nil
}

// failed does what is to be done when a service gave no result.
func (s *session) failed(ctx context.Context, service *Service, err error, took time.Duration, t *tape, v *verdict) error {
	if broken := (*brokenBody)(nil); errors.As(err, &broken) {
		return broken.err
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if service.FailOpen {
		ok := true
		if t != nil {
			v.body, ok = t.rewind()
		}
		if ok {
			s.note(service.Name, WordFailedOpen, took)
			return nil
		}
	} else if t != nil {
		t.rewind()
	}
	s.note(service.Name, WordFailedClosed, took)
	head, body := page(503, whyService, false)
	v.header, v.body, v.blocked = head, bytes.NewReader(body), true
	return nil
}

var errUnsound = errors.New("the service's message cannot be sent")

// sound reports whether what a service returned can take the place of m.
func sound(r *Result, m *Message) error {
	if r == nil {
		return errUnsound
	}
	if r.Outcome == Unmodified {
		if (r.Body != nil) != (m.Body != nil) {
			return errUnsound
		}
		return nil
	}
	if !whole(r.Header) {
		return errUnsound
	}
	kind := m.Kind
	if r.Outcome == Blocked {
		kind = Response
	}
	if kind == Response {
		if h, word := parseLoosely(r.Header, Response); word != "" || h.status < 200 {
			return errUnsound
		}
		return nil
	}
	before, _ := parseLoosely(m.Request, Request)
	h, word := parseLoosely(r.Header, Request)
	if word != "" || h.is("HEAD") != before.is("HEAD") || h.is("CONNECT") != before.is("CONNECT") {
		return errUnsound
	}
	return nil
}

// ready reports whether reading from r does not wait.
func ready(r io.Reader) bool {
	w, ok := r.(interface{ Ready() bool })
	return ok && w.Ready()
}

// rest returns the body that r reads from now on as it is; nil while other octets
// come first, or if r is changed or unknown.
func rest(r io.Reader) *body {
	for {
		switch v := r.(type) {
		case *body:
			return v
		case interface{ Rest() io.Reader }:
			r = v.Rest()
		default:
			return nil
		}
	}
}

// watched notes a service that fails while its body is being sent.
type watched struct {
	s       *session
	ctx     context.Context
	service string
	r       io.Reader
	failed  bool
}

// Ready and Rest are those of the service's body.
func (w *watched) Ready() bool { return ready(w.r) }

func (w *watched) Rest() io.Reader {
	if r, ok := w.r.(interface{ Rest() io.Reader }); ok && !w.failed {
		return r.Rest()
	}
	return nil
}

// Read implements io.Reader.
func (w *watched) Read(p []byte) (int, error) {
	n, err := w.r.Read(p)
	if err != nil && err != io.EOF && !w.failed {
		w.failed = true
		if broken := (*brokenBody)(nil); !errors.As(err, &broken) && w.ctx.Err() == nil {
			w.s.note(w.service, WordFailedClosed, 0)
		}
	}
	return n, err
}
