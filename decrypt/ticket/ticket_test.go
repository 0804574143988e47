package ticket

import (
	"bytes"
	"testing"
	"time"
)

var noon = time.Unix(1_000_000*3600, 0)

// TestChain: a secret leads to those of later periods, in one step or many, and to none
// before it.
func TestChain(t *testing.T) {
	s := New(noon)
	step := s
	for range 5 {
		next, ok := step.At(step.Hour + 1)
		if !ok || next.Octets == step.Octets || next.Hour != step.Hour+1 {
			t.Fatalf("step from %d: %+v, %t", step.Hour, next.Hour, ok)
		}
		step = next
	}
	if leap, ok := s.At(s.Hour + 5); !ok || leap != step {
		t.Error("a leap leads elsewhere than steps")
	}
	if _, ok := step.At(s.Hour); ok {
		t.Error("a way back")
	}
	if _, ok := s.At(s.Hour + maxSteps + 1); ok {
		t.Error("no end")
	}
	if s.key([]byte("a")) == s.key([]byte("b")) || s.key(nil) == s.Octets {
		t.Error("keys do not depend on their scope")
	}
}

func TestSealAndOpen(t *testing.T) {
	secrets := NewSecrets(New(noon))
	k := NewKeys(secrets, []byte("ca"))
	late := noon.Add(Period - time.Second) // of the first period
	data := []byte("data")
	sealed := k.Seal(late, data, []byte("here"))
	if bytes.Contains(sealed, data) || bytes.Equal(sealed, k.Seal(late, data, []byte("here"))) {
		t.Error("a ticket tells something")
	}
	copied := func(at time.Time) *Keys { return NewKeys(NewSecrets(secrets.List(at)...), []byte("ca")) }
	for _, tt := range []struct {
		name   string
		keys   *Keys
		at     time.Time
		sealed []byte
		where  string
		want   bool
	}{
		{"at once", k, late, sealed, "here", true},
		{"elsewhere", k, late, sealed, "there", false},
		{"cut", k, late, sealed[:len(sealed)-1], "here", false},
		{"none", k, late, nil, "here", false},
		{"another process", copied(late), late, sealed, "here", true},
		{"another authority", NewKeys(secrets, []byte("other")), late, sealed, "here", false},
		{"another secret", new(Keys), late, sealed, "here", false},
		{"two periods on", k, noon.Add(2 * Period), sealed, "here", true},
		{"a process that begins then", copied(noon.Add(2 * Period)), noon.Add(2 * Period), sealed, "here", true},
		{"three periods on", k, noon.Add(3 * Period), sealed, "here", false},
		{"the clock set back, when the period is forgotten", k, late, sealed, "here", false},
	} {
		got, ok := tt.keys.Open(tt.at, tt.sealed, []byte(tt.where))
		if ok != tt.want || ok && !bytes.Equal(got, data) {
			t.Errorf("%s: opens %t", tt.name, ok)
		}
	}
}

// TestReplaced: a secret that was replaced opens for three periods and seals no more.
func TestReplaced(t *testing.T) {
	old, next := New(noon), New(noon)
	secrets := NewSecrets(old)
	k := NewKeys(secrets, nil)
	sealed := k.Seal(noon, []byte("old"), nil)
	end := noon.Add(Periods*Period - time.Minute)
	secrets.Set([]Secret{next, {Hour: old.Hour, Octets: old.Octets, Until: noon.Add(90 * time.Minute)}})
	if _, ok := k.Open(noon.Add(time.Hour), sealed, nil); !ok {
		t.Error("a ticket of the secret before does not open")
	}
	if _, ok := k.Open(noon.Add(90*time.Minute), sealed, nil); ok {
		t.Error("a ticket of the secret before opens past its end")
	}
	if _, ok := NewKeys(NewSecrets(next), nil).Open(end, k.Seal(end, []byte("new"), nil), nil); !ok {
		t.Error("the new secret does not seal")
	}
	if list := secrets.List(end); len(list) != 1 || list[0].Hour != hour(end)-Periods+1 {
		t.Errorf("%d secrets are kept, the first from hour %d", len(list), list[0].Hour)
	}
}

// TestClock: a clock that was set back leaves a secret that seals.
func TestClock(t *testing.T) {
	secrets := NewSecrets(New(noon))
	k := NewKeys(secrets, nil)
	before := noon.Add(-240 * time.Hour)
	if _, ok := k.Open(before, k.Seal(before, []byte("x"), nil), nil); !ok {
		t.Error("tickets do not open")
	}
	if list := secrets.List(before); len(list) != 1 || list[0].Hour > hour(before) {
		t.Errorf("secrets %d", len(list))
	}
}
