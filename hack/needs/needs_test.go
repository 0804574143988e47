package needs

import (
	"fmt"
	"testing"
)

// told is a test that notes how it was ended.
type told struct {
	testing.TB
	end string
}

func (t *told) Helper()           {}
func (t *told) Fatal(args ...any) { t.end = "failed: " + fmt.Sprint(args...) }
func (t *told) Skip(args ...any)  { t.end = "left out: " + fmt.Sprint(args...) }

func TestMissing(t *testing.T) {
	for ci, want := range map[string]string{"": "left out: no port", "true": "failed: no port"} {
		t.Setenv("CI", ci)
		got := &told{TB: t}
		if Missing(got, "no port"); got.end != want {
			t.Errorf("CI=%q: %q, want %q", ci, got.end, want)
		}
	}
}

func TestProgram(t *testing.T) {
	t.Setenv("CI", "true")
	got := &told{TB: t}
	if path := Program(got, "go"); path == "" || got.end != "" {
		t.Errorf("go is at %q; %s", path, got.end)
	}
	if Program(got, "no-such-program"); got.end == "" {
		t.Error("a program that is not there is no fault")
	}
}
