package audit

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestFind: the entry of a session is found wherever it stands, also across the chunks
// that are read.
func TestFind(t *testing.T) {
	var text strings.Builder
	const n = 6000
	for i := range n {
		fmt.Fprintf(&text, "{\"session\":\"%016x\",\"host\":\"%s\",\"n\":%d}\n", i%(n-1), strings.Repeat("h", i%1500), i)
	}
	text.WriteString(`{"session":"00000000000000aa","cut`) // is being written
	file := filepath.Join(t.TempDir(), "sessions.jsonl")
	if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	if text.Len() < 3*searchChunk {
		t.Fatal("the file is too short")
	}
	for i := range n - 1 {
		if i%97 > 0 && i < n-10 && i != 0xaa {
			continue
		}
		want := i
		if i == 0 {
			want = n - 1 // the last one of two
		}
		line, err := Find(file, fmt.Sprintf("%016x", i))
		if err != nil || !strings.HasSuffix(string(line), fmt.Sprintf(`"n":%d}`, want)) {
			t.Errorf("session %d: %.80s, %v", i, line, err)
		}
	}
	if _, err := Find(file, "ffffffffffffffff"); !errors.Is(err, ErrNoEntry) {
		t.Errorf("a session that is not there: %v", err)
	}
	if _, err := Find(filepath.Join(t.TempDir(), "nosuch"), "1"); err == nil {
		t.Error("a file that is not there")
	}
}
