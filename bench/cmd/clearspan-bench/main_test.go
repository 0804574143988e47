package main

import (
	"io"
	"path/filepath"
	"strings"
	"testing"
)

// TestCommandRefuses: mistakes are told before anything is built.
func TestCommandRefuses(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "clearspan")
	for _, tt := range []struct {
		name string
		args []string
		want string
	}{
		{"argument", []string{"quick"}, "unknown command"},
		{"flag", []string{"--fast"}, "unknown flag"},
		{"workload", []string{"--workloads", "nothing"}, `unknown workload "nothing"`},
		{"no clearspan", []string{"--clearspan", missing}, missing},
		{"floor without origin", []string{"floor", "127.0.0.1:0"}, "accepts 2 arg(s)"},
		{"floor on no address", []string{"floor", "nowhere", "127.0.0.1:1"}, "nowhere"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cmd := command()
			cmd.SetArgs(tt.args)
			cmd.SetOut(io.Discard)
			if err := cmd.Execute(); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}
