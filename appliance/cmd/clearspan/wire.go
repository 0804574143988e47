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
	cmd := &cobra.Command{
		Use:   "wire",
		Short: "Bumps in the wire of this machine",
		Long: `Bumps in the wire of this machine: pairs of interfaces that an intake of mode wire
joins. A wire stays when the process ends, and traffic passes on.`,
		Example: "  clearspan wire status",
	}
	var asJSON bool
	status := &cobra.Command{
		Use:   "status [NAME]",
		Short: "Show wires: legs, whether a process runs them, frames by path",
		Long: `Show one wire or all: its two legs, whether the kernel programs are attached, whether a
process runs it and takes connections, how many flows it knows, which leg is down
because of the other one, and how many frames took which path.`,
		Example: `  clearspan wire status
  clearspan wire status --json wire | jq .Paths`,
		Args: takesUpTo(0, "NAME"),
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
	var verbose bool
	remove := &cobra.Command{
		Use:   "remove NAME",
		Short: "Take a wire apart: detach its programs, give its interfaces back",
		Long: `Take a wire apart. clearspan detaches the kernel programs and moves both interfaces
back to the network namespace that they came from, as they were. If it does not
exist any more, they come to this one. Traffic stops passing between them.

End the process that runs the wire first.`,
		Example: "  clearspan wire remove wire",
		Args:    takes("NAME"),
		RunE: func(cmd *cobra.Command, names []string) error {
			home, err := wire.HostNamespace(names[0])
			switch {
			case err != nil:
			case home == "":
				err = wire.Remove(names[0])
			default:
				return runIn(cmd, home, "wire", "remove", names[0], fmt.Sprintf("--verbose=%t", verbose))
			}
			if err != nil {
				return wireError(names[0], err)
			}
			return told(cmd, verbose, "wire %s is taken apart: no traffic passes between its interfaces", names[0])
		},
	}
	verboseFlag(remove, &verbose)
	cmd.AddCommand(status, remove)
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
	names, err := wire.List()
	if errors.Is(err, fs.ErrPermission) {
		err = fmt.Errorf("%w (only root may look at wires)", err)
	}
	return names, err
}

func wireError(name string, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("there is no wire %s on this machine", name)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("wire %s: %w (only root may look at wires)", name, err)
	}
	return fmt.Errorf("wire %s: %w", name, err)
}

// heldLeg tells of a leg that was taken down with the other one.
func heldLeg(s *wire.Status) string {
	other := s.Legs[0]
	if other == s.DownLeg {
		other = s.Legs[1]
	}
	if s.Running {
		return fmt.Sprintf("%s is down, because %s has no carrier", s.DownLeg, other)
	}
	return fmt.Sprintf("%s is down until the next start: %s had no carrier", s.DownLeg, other)
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
	fmt.Fprintf(w, "%s  %s -- %s  takeover %s, down %s, link %s\n  attached  %v\n  state     %s\n  flows     %d\n",
		s.Name, s.Legs[0], s.Legs[1], s.Takeover, s.Down, s.Link, s.Attached, state, s.Flows)
	if s.DownLeg != "" {
		fmt.Fprintf(w, "  link      %s\n", heldLeg(s))
	}
	for _, path := range slices.Sorted(maps.Keys(s.Paths)) {
		if n := s.Paths[path]; n > 0 {
			fmt.Fprintf(w, "  %-16s %d\n", path, n)
		}
	}
	return nil
}
