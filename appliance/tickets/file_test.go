package tickets

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/clearspan/clearspan/decrypt/ticket"
)

// opens reports whether a ticket that a seals opens by b.
func opens(a, b *File) bool {
	now := time.Now()
	_, ok := ticket.NewKeys(b.Secrets, nil).Open(now, ticket.NewKeys(a.Secrets, nil).Seal(now, []byte("x"), nil), nil)
	return ok
}

func TestSurvives(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tickets.secret")
	first := Open(path, nil)
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o600 {
		t.Fatalf("mode %v, %v", info.Mode(), err)
	}
	second := Open(path, nil)
	if !opens(first, second) || !opens(second, first) {
		t.Error("tickets end with the process")
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	third := Open(path, nil)
	if opens(first, third) {
		t.Error("tickets outlive their secret")
	}
	first.Renew()
	if !opens(third, first) || !opens(first, third) {
		t.Error("the new secret is not in use")
	}
	old := second // of the secret that was removed
	if !opens(old, first) {
		t.Error("tickets of the secret before end at once")
	}
	if fourth := Open(path, nil); !opens(old, fourth) {
		t.Error("tickets of the secret before end with the process")
	}
	if list := first.Secrets.List(time.Now().Add(3*time.Hour + time.Minute)); len(list) != 1 {
		t.Errorf("%d secrets are kept after three hours", len(list))
	}
}

// TestRemoved: a process that finds no file makes a new secret.
func TestRemoved(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tickets.secret")
	f := Open(path, nil)
	before := f.Secrets.List(time.Now())[0]
	os.Remove(path)
	f.Renew()
	list := f.Secrets.List(time.Now())
	if len(list) != 2 || list[0].Octets == before.Octets || list[1].Octets != before.Octets || list[1].Until.IsZero() {
		t.Errorf("secrets %d", len(list))
	}
	same := func(a, b ticket.Secret) bool {
		return a.Octets == b.Octets && a.Hour == b.Hour && a.Until.Equal(b.Until)
	}
	if other := Open(path, nil); !slices.EqualFunc(other.Secrets.List(time.Now()), list, same) {
		t.Error("the file has other secrets")
	}
}

// TestForgets: three hours on, what is in the file opens no ticket of before.
func TestForgets(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tickets.secret")
	synctest.Test(t, func(t *testing.T) {
		f := Open(path, nil)
		before := time.Now()
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { f.Run(ctx); close(done) }()
		for hours, want := range []bool{true, true, true, false} {
			time.Sleep(time.Until(before.Add(time.Duration(hours)*time.Hour + time.Minute)))
			synctest.Wait()
			held, err := f.load()
			if err != nil {
				t.Fatal(err)
			}
			if _, ok := held[0].At(before.Unix() / 3600); ok != want {
				t.Errorf("%d hours on: the file leads to the hour of the ticket: %t", hours, ok)
			}
		}
		stop()
		<-done
	})
}

func TestBrokenFile(t *testing.T) {
	good := func(change func(*file)) string {
		f := file{version, []item{{Hour: time.Now().Unix() / 3600, Secret: bytes.Repeat([]byte{7}, 32)}}}
		if change != nil {
			change(&f)
		}
		data, err := json.Marshal(f)
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	for _, tt := range []struct {
		name, content string
		mode          os.FileMode
		kept          bool
	}{
		{"good", good(nil), 0o600, true},
		{"readable by others", good(nil), 0o640, false},
		{"empty", "", 0o600, false},
		{"no JSON", "{", 0o600, false},
		{"of another version", good(func(f *file) { f.Version++ }), 0o600, false},
		{"short", good(func(f *file) { f.Secrets[0].Secret = f.Secrets[0].Secret[1:] }), 0o600, false},
		{"zero", good(func(f *file) { clear(f.Secrets[0].Secret) }), 0o600, false},
		{"of a time to come", good(func(f *file) { f.Secrets[0].Hour += 2 }), 0o600, false},
		{"before all times", good(func(f *file) { f.Secrets[0].Hour = -1 << 63 }), 0o600, false},
		{"without a secret", `{"version":1}`, 0o600, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "tickets.secret")
			if err := os.WriteFile(path, []byte(tt.content), tt.mode); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(path, tt.mode); err != nil {
				t.Fatal(err)
			}
			f := Open(path, nil)
			if kept := f.Secrets.List(time.Now())[0].Octets == [32]byte(bytes.Repeat([]byte{7}, 32)); kept != tt.kept {
				t.Errorf("secret is kept: %t", kept)
			}
			if !opens(f, Open(path, nil)) {
				t.Error("the file was not mended")
			}
		})
	}
}

// TestNoRoom: a file that cannot be written costs a warning.
func TestNoRoom(t *testing.T) {
	var log strings.Builder
	f := Open(filepath.Join(t.TempDir(), "absent", "tickets.secret"), slog.New(slog.NewTextHandler(&log, nil)))
	if !opens(f, f) || !strings.Contains(log.String(), "session tickets end with the process") {
		t.Errorf("log: %s", log.String())
	}
}

func FuzzFile(f *testing.F) {
	f.Add([]byte(`{"version":1,"secrets":[{"hour":490000,"secret":"BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc="}]}`))
	f.Add([]byte(`{"version":1,"secrets":[{"hour":-9223372036854775808,"secret":"BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=","until":"2026-01-01T00:00:00Z"}]}`))
	f.Add([]byte(`{`))
	f.Fuzz(func(t *testing.T, data []byte) {
		list, err := decode(bytes.NewReader(data))
		if err != nil {
			return
		}
		now := time.Unix(490000*3600, 0)
		if held := ticket.NewSecrets(list...).List(now); len(held) == 0 || !held[0].Until.IsZero() {
			t.Error("nothing seals")
		}
	})
}
