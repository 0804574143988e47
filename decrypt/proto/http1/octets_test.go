package http1_test

import (
	"bytes"
	"testing"

	"github.com/clearspan/clearspan/decrypt/proto/http1"
)

// TestPlain: each octet is judged alone, wherever it stands.
func TestPlain(t *testing.T) {
	for c := range 256 {
		want := http1.Sound
		switch {
		case c == '\r':
			want = http1.BareCR
		case c < ' ' && c != '\t', c == 0x7f:
			want = http1.Control
		}
		for at := range 17 {
			line := bytes.Repeat([]byte{'~'}, 17)
			line[at] = byte(c)
			if got := http1.Plain(line); got != want {
				t.Errorf("octet %#x at %d: %v, want %v", c, at, got, want)
			}
		}
	}
}
