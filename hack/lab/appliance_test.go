package lab

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A program that behaves as the appliance does towards its supervisor.
const fakeAppliance = `#!/bin/sh
[ "$1 $2" = "run -c" ] && [ -r "$3" ] || exit 1
trap 'exit @CODE@' TERM
echo '{"time":"x","level":"INFO","msg":"@MESSAGE@"}' >&2
while :; do sleep 0.02; done
`

func TestAppliance(t *testing.T) {
	_, g := gateway(t)
	for _, tc := range []struct{ name, message, code, start, stop string }{
		{"good", "ready", "0", "", ""},
		{"bad end", "ready", "2", "", "exit status 2"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d := t.TempDir()
			binary := filepath.Join(d, "clearspan")
			script := strings.NewReplacer("@CODE@", tc.code, "@MESSAGE@", tc.message).Replace(fakeAppliance)
			if err := os.WriteFile(binary, []byte(script), 0o755); err != nil {
				t.Fatal(err)
			}
			a, err := StartAppliance(g.Box, d, binary, "state: state\n")
			if err != nil {
				t.Fatal(err)
			}
			if err := a.Stop(); (err == nil) != (tc.stop == "") || err != nil && !strings.Contains(err.Error(), tc.stop) {
				t.Errorf("stop: want %q, got %v", tc.stop, err)
			}
		})
	}
	t.Run("ends at once", func(t *testing.T) {
		if _, err := StartAppliance(g.Box, t.TempDir(), "/bin/false", ""); err == nil {
			t.Error("started")
		}
	})
}

func TestSaysReady(t *testing.T) {
	for _, tc := range []struct {
		name, log string
		want      bool
	}{
		{"empty", "", false},
		{"JSON", `{"msg":"listen"}` + "\n" + `{"time":"t","msg":"ready"}` + "\n", true},
		{"text", "time=t level=INFO msg=ready sessions=0\n", true},
		{"text, last", "level=INFO msg=ready\n", true},
		{"other word", "level=INFO msg=readying\n", false},
		{"not ready", `{"msg":"not ready"}`, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := &Server{logFile: filepath.Join(t.TempDir(), "log")}
			if err := os.WriteFile(s.logFile, []byte(tc.log), 0o600); err != nil {
				t.Fatal(err)
			}
			if got := saysReady(s); got != tc.want {
				t.Errorf("got %v", got)
			}
		})
	}
}
