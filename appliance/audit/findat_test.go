package audit

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestFindAt: the entry of a session is found by the time of its end, also where the order
// of the file is not that of time.
func TestFindAt(t *testing.T) {
	began := time.Date(2026, 11, 3, 12, 0, 0, 0, time.UTC)
	file := filepath.Join(t.TempDir(), "sessions.jsonl")
	var text strings.Builder
	const entries, back = 3000, 2500 // the clock goes back at one
	at := func(n int) time.Time {
		if n >= back {
			return began.Add(time.Duration(n-2000) * time.Second)
		}
		return began.Add(time.Duration(n) * time.Second)
	}
	for n := range entries {
		fmt.Fprintf(&text, `{"time":%q,"session":"%016x","pad":%q}`+"\n", stamp(at(n)), n, strings.Repeat("x", n%700))
	}
	text.WriteString(`{"time":"2026-`) // is being written
	if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{0, 1, 2, 99, 1000, 2498, 2499, 2500, 2999} {
		line, err := FindAt(file, fmt.Sprintf("%016x", n), at(n))
		if want := fmt.Sprintf(`"session":"%016x"`, n); err != nil || !strings.Contains(string(line), want) {
			t.Errorf("entry %d: %v, %.80s", n, err, line)
		}
	}
	if line, err := FindAt(file, "00000000000fffff", began); err == nil {
		t.Errorf("found %s", line)
	}
	if _, err := FindAt(file+"x", "0", began); err == nil {
		t.Error("found in a file that is not there")
	}
}
