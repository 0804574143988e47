package decrypt

import (
	"testing"

	"github.com/clearspan/clearspan/decrypt/policy"
)

func TestPreview(t *testing.T) {
	flight := hello(t)
	ended := make(chan *Session, 1)
	e, err := New(Config{
		Policy: decide(func(f *policy.Facts) policy.Action {
			if f.SNI == "www.example.test" {
				return policy.Tunnel
			}
			return policy.Bump
		}),
		Forger: &forger{}, Verifier: judge{}, Ended: func(s *Session, _ Stream) { ended <- s },
	})
	if err != nil {
		t.Fatal(err)
	}
	in := &Incoming{Intake: "wire"}
	for n := range flight {
		if _, more := e.Preview(in, flight[:n]); !more {
			t.Fatalf("decided after %d of %d octets", n, len(flight))
		}
	}
	if action, more := e.Preview(in, flight); more || action != policy.Tunnel {
		t.Errorf("whole hello: %s, more %v", action, more)
	}
	if action, more := e.Preview(in, []byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n")); more || action != policy.Bump {
		t.Errorf("plain request: %s, more %v", action, more)
	}
	e.Account(in, flight)
	if s := <-ended; s.Outcome != Tunneling || s.SNI != "www.example.test" || s.ClientTLS.JA4 == "" || s.End.Before(s.Start) {
		t.Errorf("session %+v", s)
	}
}
