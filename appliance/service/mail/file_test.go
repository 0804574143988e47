package mail

import (
	"errors"
	"testing"
)

func TestFile(t *testing.T) {
	for _, tt := range []struct {
		name   string
		cfg    Config
		script string // see converse; ends are closed at its end
		words  string
		fails  bool
	}{
		{"down", Config{Adapter: adapter(clean)}, "S: a file\n", "unmodified", false},
		{"nothing", Config{Adapter: adapter(clean)}, "", "", false},
		{"infected", Config{Adapter: adapter(blocking)}, "S: evil\n", "blocked", true},
		{"infected, up", Config{Adapter: adapter(blocking)}, "C: evil\n", "blocked", true},
		{"closed", Config{Adapter: adapter(broken)}, "S: a\n", "failed-closed", true},
		{"open", Config{Adapter: adapter(broken), FailOpen: true}, "S: a\n", "failed-open", false},
		{"too long", Config{Adapter: adapter(clean), MaxMessage: 3}, "S: abcd\n", "failed-closed", true},
		{"too long, open", Config{Adapter: adapter(clean), MaxMessage: 3, FailOpen: true}, "S: abcd\n", "failed-open", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			words, got, err := transfer(t, tt.cfg, tt.script)
			want := ""
			if !tt.fails && tt.script != "" {
				want = tt.script[3:len(tt.script)-1] + "\r\n"
			}
			if words != tt.words || got != want || errors.Is(err, errFile) != tt.fails {
				t.Errorf("%q, want %q; got %q, %v", words, tt.words, got, err)
			}
		})
	}
}
