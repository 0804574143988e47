package handshake

import (
	"bytes"
	"crypto/tls"
	"strings"
	"testing"
	"time"

	"github.com/clearspan/clearspan/decrypt/ticket"
)

// sessionState returns a state as a server of TLS 1.3 wraps it.
func sessionState(t testing.TB) *tls.SessionState {
	t.Helper()
	octets := append([]byte{3, 4, 1, 0x13, 1, 0, 0, 0, 0, 0, 0, 0, 0, 2, 'p', 's'}, make([]byte, 11)...)
	s, err := tls.ParseSessionState(octets)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestTicketContent(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	var k ticket.Keys
	want := content{serial: "deadbeef", until: now.Add(24 * time.Hour)}
	sealed := must(seal(&k, now, []byte("here"), want, sessionState(t)))
	if bytes.Contains(sealed, []byte(want.serial)) {
		t.Error("a ticket tells something")
	}
	if got, state := open(&k, now, []byte("here"), sealed); state == nil || got.serial != want.serial || !got.until.Equal(want.until) {
		t.Errorf("ticket %+v", got)
	}
	if _, state := open(&k, now, []byte("there"), sealed); state != nil {
		t.Error("a ticket opens elsewhere")
	}
	over := content{until: now}
	if _, state := open(&k, now, []byte("here"), must(seal(&k, now, []byte("here"), over, sessionState(t)))); state != nil {
		t.Error("a ticket outlives the leaf")
	}
	want.serial = strings.Repeat("f", 300)
	if _, state := open(&k, now, []byte("here"), must(seal(&k, now, []byte("here"), want, sessionState(t)))); state == nil {
		t.Error("a long serial number breaks the ticket")
	}
}

func FuzzTicket(f *testing.F) {
	now := time.Unix(1_000_000, 0)
	var k ticket.Keys
	sealed := must(seal(&k, now, []byte("here"), content{"1234", now.Add(time.Hour)}, sessionState(f)))
	f.Add(sealed)
	f.Add(sealed[:len(sealed)/2])
	f.Add([]byte{})
	f.Add(make([]byte, 9))
	f.Add(append(append(make([]byte, 7), 0xff, 0xff), "serial"...))
	f.Add(append([]byte{0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0}, 3, 4, 1, 0x13, 1, 0, 0, 0, 0, 0, 0, 0, 0, 2, 'p', 's', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0))
	f.Fuzz(func(t *testing.T, p []byte) {
		if _, state := open(&k, now, []byte("here"), p); state != nil && !bytes.Equal(p, sealed) {
			t.Error("a ticket opens that was not sealed")
		}
		if tk, state := unpack(now, p); state != nil && !now.Before(tk.until) {
			t.Errorf("a ticket that ended at %v", tk.until)
		}
	})
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
