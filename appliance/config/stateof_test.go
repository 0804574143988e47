package config

import (
	"os"
	"path/filepath"
	"testing"
)

// TestStateOf: the state directory is found in files whose rest is bad.
func TestStateOf(t *testing.T) {
	dir := t.TempDir()
	for _, tt := range []struct{ name, text, want string }{
		{"absent", "intake: []\n", DefaultState()},
		{"empty file", "", DefaultState()},
		{"relative", "state: run/state\nnosuch: 1\n", filepath.Join(dir, "run/state")},
		{"absolute", "policy: {default: bumb}\nstate: /srv/box\n", "/srv/box"},
		{"bad state", "state: [1]\n", ""},
		{"bad syntax", "state: [\n", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			file := filepath.Join(dir, tt.name)
			if err := os.WriteFile(file, []byte(tt.text), 0o600); err != nil {
				t.Fatal(err)
			}
			got, err := StateOf(file)
			if got != tt.want || (err != nil) != (tt.want == "") {
				t.Errorf("got %q, %v, want %q", got, err, tt.want)
			}
		})
	}
}
