package main

import (
	"errors"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

func TestMovedCommands(t *testing.T) {
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"demo"}, "make demo"},
		{[]string{"demo", "--wire", "--help"}, "make demo-wire"},
		{[]string{"bench", "--quick", "--rounds", "2"}, "bin/clearspan-bench"},
		{[]string{"bench", "floor", "127.0.0.1:1", "127.0.0.1:2"}, "bin/clearspan-bench"},
	} {
		root := &cobra.Command{Use: "clearspan", SilenceUsage: true, SilenceErrors: true}
		root.AddCommand(movedCommands()...)
		root.SetArgs(tt.args)
		var e *exitError
		err := root.Execute()
		if !errors.As(err, &e) || e.code == 0 || !strings.Contains(e.Error(), tt.want) || strings.Contains(e.Error(), "\n") {
			t.Errorf("%v: got %v, want one line with %q", tt.args, err, tt.want)
		}
	}
}
