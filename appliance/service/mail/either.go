package mail

import (
	"context"
	"errors"
	"io"
	"slices"
	"sync"

	"github.com/clearspan/clearspan/decrypt"
	"github.com/clearspan/clearspan/decrypt/sniff"
)

// Either returns a service for sessions whose account does not tell what they carry: TLS
// on any port without HTTP as the agreed protocol. If the origin greets, before the client
// says a word, as a server of SMTP, IMAP or POP3 does, m carries the session. Otherwise
// other does.
func Either(m, other decrypt.Service) decrypt.Service { return &either{m, other} }

type either struct{ mail, other decrypt.Service }

// MayGreet reports whether it is for a greeting to tell what a session carries: its ends
// did not agree on HTTP.
func MayGreet(s *decrypt.Session) bool {
	return s.Protocol == protocolTLS && s.ALPN != "h2" && s.ALPN != "http/1.1" && s.ALPN != "http/1.0"
}

// maxGreeting is how many octets of a greeting are looked at.
const maxGreeting = 512

// Carry implements decrypt.Service.
func (e *either) Carry(ctx context.Context, s *decrypt.Session, near, far decrypt.End) error {
	client, origin := newEarly(near), newEarly(far)
	defer func() { client.stop(); origin.stop() }()
	service := e.other
	select {
	case <-client.came:
	case <-origin.came:
		p := origin.greeting()
		if p == sniff.Greeting220 && slices.Contains(submission, s.Origin.Port()) {
			p = sniff.SMTP
		}
		if p == sniff.SMTP || p == sniff.IMAP || p == sniff.POP3 {
			service = e.mail
			if m, ok := e.mail.(*Service); ok {
				service = &Service{cfg: m.cfg, speaks: p}
			}
		}
	}
	return service.Carry(ctx, s, client, origin)
}

// early is an end whose first octets are read before somebody asks for them.
type early struct {
	decrypt.End
	came chan struct{} // closed when octets, or the end, have come
	wait sync.Once
	head []byte
	err  error // behind head
}

func newEarly(end decrypt.End) *early {
	e := &early{End: end, came: make(chan struct{})}
	go decrypt.Contain(func() error {
		defer close(e.came)
		p := make([]byte, maxGreeting)
		n, err := io.ReadAtLeast(end, p, 1)
		if errors.Is(err, io.ErrUnexpectedEOF) {
			err = io.EOF
		}
		e.head, e.err = p[:n], err
		return nil
	})
	return e
}

// stop waits for the goroutine. An end that nobody has read from is reset first.
func (e *early) stop() {
	e.wait.Do(func() {
		select {
		case <-e.came:
		default:
			e.End.Abort()
			<-e.came
		}
	})
}

// Read implements io.Reader.
func (e *early) Read(p []byte) (int, error) {
	<-e.came
	switch {
	case len(e.head) > 0:
		n := copy(p, e.head)
		if e.head = e.head[n:]; len(e.head) == 0 {
			e.head = nil
		}
		return n, nil
	case e.err != nil:
		return 0, e.err
	}
	return e.End.Read(p)
}

// Await waits until octets, or the end, have come.
func (e *early) Await() error {
	<-e.came
	if a, ok := e.End.(interface{ Await() error }); ok && len(e.head) == 0 && e.err == nil {
		return a.Await()
	}
	return nil
}

// submission are the ports on which a greeting is one of SMTP if it may also be one of
// FTP.
var submission = []uint16{25, 465, 587}

// greeting tells the protocol of the first octets, of which more are read as long as they
// may decide.
func (e *early) greeting() sniff.Protocol {
	for {
		p, more := sniff.Origin(e.head)
		switch {
		case p != sniff.Unknown:
			return p
		case !more || e.err != nil || len(e.head) >= maxGreeting:
			return sniff.Unknown
		}
		rest := make([]byte, maxGreeting-len(e.head))
		n, err := e.End.Read(rest)
		e.head, e.err = append(e.head, rest[:n]...), err
	}
}
