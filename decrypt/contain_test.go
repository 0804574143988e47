package decrypt

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"

	"github.com/clearspan/clearspan/decrypt/internal/handshake"
)

type tapFunc func(s *Session) Stream

func (f tapFunc) Open(s *Session) Stream { return f(s) }

// faulty panics when it is shown a fault.
type faulty struct{ Stream }

func (f faulty) Data(dir Direction, c Content, p []byte) {
	f.Stream.Data(dir, c, p)
	if bytes.Contains(p, []byte("fault")) {
		panic("met a fault")
	}
}

// TestContain has one session meet a fault of ours, wherever that is: the session ends
// and is told of, and the next one does not notice.
func TestContain(t *testing.T) {
	pass := through(func([]byte) {})
	fault := carryFunc(func(_ context.Context, _ *Session, client, _ End) error {
		p := make([]byte, 10)
		n, err := client.Read(p)
		if bytes.Contains(p[:n], []byte("fault")) {
			panic("met a fault")
		}
		client.Write(p[:n])
		return errors.Join(err, client.CloseWrite())
	})
	faultyTap := func(b *testbed) {
		inner := b.cfg.Tap
		b.cfg.Tap = tapFunc(func(s *Session) Stream { return faulty{inner.Open(s)} })
	}
	for _, tt := range []struct {
		name   string
		change func(*testbed)
	}{
		{"tap, in the relay", faultyTap},
		{"tap, behind services", func(b *testbed) { faultyTap(b); b.cfg.Services = services(pass, pass) }},
		{"one service", func(b *testbed) { b.cfg.Services = services(fault) }},
		{"service of several", func(b *testbed) { b.cfg.Services = services(pass, fault, pass) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newTLSTestbed(t, echo, nil, tt.change)
			c := b.client(nil)
			io.WriteString(c, "fault")
			if got, err := io.ReadAll(c); err == nil {
				t.Errorf("read %q and an orderly end", got)
			}
			s := b.session()
			var p *Panic
			if s.Reason != "panic" || !errors.As(s.Err, &p) || p.Value != "met a fault" || !bytes.Contains(p.Stack, []byte("contain_test.go")) {
				t.Errorf("reason %q (%v)", s.Reason, s.Err)
			}
			if e := b.tap.ends[0]; e == nil || *e != Reset {
				t.Errorf("the recording ends %v, want a reset", b.tap.ends)
			}
		})
	}
}

// TestShakeContains: a panic in a handshake is an error.
func TestShakeContains(t *testing.T) {
	s := &session{decision: decision{engine: &Engine{handshakes: handshake.NewPool()}}}
	var p *Panic
	if err := s.shake(func() error { panic("fault") }); !errors.As(err, &p) || p.Value != "fault" {
		t.Errorf("got %v", err)
	}
}
