package handshake

import (
	"bytes"
	"crypto/tls"
	"strings"
	"testing"
	"time"
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

func TestTicketKeys(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	var k TicketKeys
	want := ticket{serial: "deadbeef", until: now.Add(24 * time.Hour)}
	seal := func(at time.Duration) []byte {
		t.Helper()
		sealed, err := k.seal(now.Add(at), []byte("here"), want, sessionState(t))
		if err != nil {
			t.Fatal(err)
		}
		return sealed
	}
	opens := func(k *TicketKeys, at time.Duration, binding string, sealed []byte) bool {
		got, state := k.open(now.Add(at), []byte(binding), sealed)
		if state != nil && (got.serial != want.serial || !got.until.Equal(want.until)) {
			t.Errorf("ticket %+v", got)
		}
		return state != nil
	}
	sealed := seal(0)
	if bytes.Contains(sealed, []byte(want.serial)) || bytes.Equal(sealed, seal(0)) {
		t.Error("a ticket tells something")
	}
	for _, tt := range []struct {
		name        string
		opens, want bool
	}{
		{"at once", opens(&k, 0, "here", sealed), true},
		{"elsewhere", opens(&k, 0, "there", sealed), false},
		{"of another process", opens(&TicketKeys{}, 0, "here", sealed), false},
		{"cut", opens(&k, 0, "here", sealed[:len(sealed)-1]), false},
		{"changed", opens(&k, 0, "here", append(append([]byte(nil), sealed[:40]...), make([]byte, len(sealed)-40)...)), false},
		{"none", opens(&k, 0, "here", nil), false},
		{"a period on", opens(&k, ticketPeriod, "here", sealed), true},
		{"just before its end", opens(&k, ticketPeriods*ticketPeriod-1, "here", sealed), true},
		{"at its end", opens(&k, ticketPeriods*ticketPeriod, "here", sealed), false},
	} {
		if tt.opens != tt.want {
			t.Errorf("%s: opens %t", tt.name, tt.opens)
		}
	}
	// Every period has a key of its own, and no more are kept than open.
	for i := range 10 {
		at := time.Duration(i+10) * ticketPeriod
		before := k.keys[0].aead
		sealed := seal(at)
		if k.keys[0].aead == before || !opens(&k, at, "here", sealed) {
			t.Errorf("period %d: key is not replaced", i)
		}
	}
	want.until = now
	if opens(&k, 20*ticketPeriod, "here", seal(20*ticketPeriod)) {
		t.Error("a ticket outlives the leaf")
	}
	want.serial, want.until = strings.Repeat("f", 300), now.Add(24*time.Hour)
	if _, state := k.open(now, []byte("here"), must(k.seal(now, []byte("here"), want, sessionState(t)))); state == nil {
		t.Error("a long serial number breaks the ticket")
	}
}

func FuzzTicket(f *testing.F) {
	now := time.Unix(1_000_000, 0)
	var k TicketKeys
	sealed := must(k.seal(now, []byte("here"), ticket{"1234", now.Add(time.Hour)}, sessionState(f)))
	f.Add(sealed)
	f.Add(sealed[:len(sealed)/2])
	f.Add([]byte{})
	f.Add(make([]byte, 9))
	f.Add(append(append(make([]byte, 7), 0xff, 0xff), "serial"...))
	f.Add(append([]byte{0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0}, 3, 4, 1, 0x13, 1, 0, 0, 0, 0, 0, 0, 0, 0, 2, 'p', 's', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0))
	f.Fuzz(func(t *testing.T, p []byte) {
		if _, state := k.open(now, []byte("here"), p); state != nil && !bytes.Equal(p, sealed) {
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
