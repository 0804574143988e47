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
		{"argument", []string{"wire"}, "unknown command"},
		{"flag", []string{"--inline"}, "unknown flag"},
		{"no clearspan", []string{"--clearspan", missing, "--keep", t.TempDir()}, missing},
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
