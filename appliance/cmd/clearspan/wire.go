package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"runtime"
	"slices"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/clearspan/clearspan/appliance/intake/wire"
)

func wireCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "wire", Short: "Bumps in the wire of this machine"}
	var asJSON bool
	status := &cobra.Command{
		Use:   "status [NAME]",
		Short: "Show wires: legs, whether a process runs them, frames by path",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			names, err := wires(args)
			if err != nil {
				return err
			}
			for _, name := range names {
				s, err := wire.Inspect(name)
				if len(args) == 0 && errors.Is(err, fs.ErrNotExist) {
					continue // removed since it was listed
				}
				if err != nil {
					return wireError(name, err)
				}
				if err := showWire(cmd.OutOrStdout(), s, asJSON); err != nil {
					return err
				}
			}
			return nil
		},
	}
	status.Flags().BoolVar(&asJSON, "json", false, "one JSON object a line")
	cmd.AddCommand(status, &cobra.Command{
		Use:   "remove NAME",
		Short: "Take a wire apart: programs detached, interfaces given back",
		Long: `Take a wire apart. Programs are detached and its interfaces come back to the
network namespace from which they were taken, as they were. If that does not exist
any more, they come to this one. Traffic stops passing between them. The process
that runs the wire must have ended.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, names []string) error {
			home, err := wire.Home(names[0])
			switch {
			case err != nil:
			case home == "":
				err = wire.Remove(names[0])
			default:
				return runIn(cmd, home, "wire", "remove", names[0])
			}
			if err != nil {
				return wireError(names[0], err)
			}
			return nil
		},
	})
	return cmd
}

// runIn runs this program in another network namespace.
func runIn(cmd *cobra.Command, namespace string, args ...string) error {
	f, err := os.Open(namespace)
	if err != nil {
		return fmt.Errorf("open network namespace: %w", err)
	}
	defer f.Close()
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // it ends with the goroutine
		if err := unix.Setns(int(f.Fd()), unix.CLONE_NEWNET); err != nil {
			done <- fmt.Errorf("enter network namespace %s: %w", namespace, err)
			return
		}
		again := exec.Command("/proc/self/exe", args...)
		again.Stdin, again.Stdout, again.Stderr = cmd.InOrStdin(), cmd.OutOrStdout(), cmd.ErrOrStderr()
		done <- again.Run()
	}()
	var exit *exec.ExitError
	if err = <-done; errors.As(err, &exit) { // it has said why
		return &exitError{exit.ExitCode(), fmt.Errorf("run in network namespace %s: %w", namespace, err)}
	}
	return err
}

// wires returns the names given, or all.
func wires(names []string) ([]string, error) {
	if len(names) > 0 {
		return names, nil
	}
	return wire.List()
}

func wireError(name string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no wire %s on this machine", name)
	}
	return fmt.Errorf("wire %s: %w", name, err)
}

func showWire(w io.Writer, s *wire.Status, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(w).Encode(s)
	}
	state := "no process: selected connections pass"
	switch {
	case s.Taking:
		state = "taking connections"
	case s.Running:
		state = "process runs, does not take connections now"
	case s.Down == "block":
		state = "no process: selected connections are blocked"
	}
	fmt.Fprintf(w, "%s  %s -- %s  takeover %s, down %s\n  attached  %v\n  state     %s\n  flows     %d\n",
		s.Name, s.Legs[0], s.Legs[1], s.Takeover, s.Down, s.Attached, state, s.Flows)
	for _, path := range slices.Sorted(maps.Keys(s.Paths)) {
		if n := s.Paths[path]; n > 0 {
			fmt.Fprintf(w, "  %-16s %d\n", path, n)
		}
	}
	return nil
}
