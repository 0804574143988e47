package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/clearspan/clearspan/appliance/recorder"
	"github.com/clearspan/clearspan/appliance/recorder/api"
	"github.com/clearspan/clearspan/appliance/recorder/trail"
)

func recorderCaseCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "case",
		Short: "Keep what a query asks for, whatever its age",
		Long: `A case is a query with a name. As long as it is open, retention leaves alone what the
query asks for, now and later: rows and packets are copied to DIR/case/NAME, contents
stay. "recorder search", "show" and "export" read that directory, too:
--directory DIR/case/NAME. Who opens and closes a case, and why, is in the log of
accesses, see "recorder access".`,
		Example: `  clearspan recorder case open leak-7 finding:my-number --reason ticket-4711 -d rec
  clearspan recorder case list -d rec`,
	}
	cmd.AddCommand(recorderCaseOpenCommand(), recorderCaseListCommand(), recorderCaseShowCommand(), recorderCaseCloseCommand())
	return cmd
}

// directoryFlag adds the flag for a recorder's directory.
func directoryFlag(cmd *cobra.Command, dir *string) {
	cmd.Flags().StringVarP(dir, "directory", "d", "", "the recorder's `DIR`")
	cmd.MarkFlagRequired("directory")
}

func recorderCaseOpenCommand() *cobra.Command {
	var dir, where, reason string
	cmd := &cobra.Command{
		Use:   "open NAME QUERY",
		Short: "Hold what a query asks for",
		Long: `Hold what a query asks for, see "recorder search --help". It waits while the recorder
removes something. A running recorder adds what comes later.

Exit status: 0 it is held, 1 bad command line, 2 it could not be held.`,
		Example: `  clearspan recorder case open leak-7 finding:my-number client:10.1.2.3 --reason ticket-4711 -d rec`,
		Args:    cobra.MinimumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if reason == "" {
				return badConfig(errors.New("a case needs --reason"))
			}
			query := strings.Join(args[1:], " ")
			if _, err := trail.Language.Parse(query); err != nil {
				return badConfig(err)
			}
			if err := (&accessFlags{args[0], reason}).note(dir, api.Auditor, "case open", query); err != nil {
				return err
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
			defer stop()
			held, err := recorder.OpenCase(ctx, dir, where, recorder.Case{Name: args[0], Query: query, Reason: reason, By: recorder.Operator()})
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s holds %d events of %d sessions, with %d files and bodies\n", args[0], held.Events, held.Sessions, held.Objects)
			if held.Missing > 0 {
				fmt.Fprintf(cmd.OutOrStdout(), "the octets of %d of them are not kept any more\n", held.Missing)
			}
			return nil
		},
	}
	directoryFlag(cmd, &dir)
	cmd.Flags().StringVar(&where, "trail", "", trailUsage)
	cmd.Flags().StringVar(&reason, "reason", "", "why: `TEXT`")
	return cmd
}

func recorderCaseListCommand() *cobra.Command {
	var dir string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the cases",
		Long: `List the cases, open and closed, with their queries and reasons.

Exit status: 0 they are listed, 1 bad command line, 2 they cannot be read.`,
		Example: "  clearspan recorder case list -d rec",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			list, err := recorder.Cases(dir)
			if err != nil {
				return err
			}
			for i := range list {
				if err := showCase(cmd.OutOrStdout(), &list[i], asJSON); err != nil {
					return err
				}
			}
			return nil
		},
	}
	directoryFlag(cmd, &dir)
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON object a line")
	return cmd
}

func showCase(w io.Writer, c *recorder.Case, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(w).Encode(c)
	}
	state := "open"
	if c.Closed != nil {
		state = "closed " + c.Closed.Local().Format(time.DateTime) + ": " + visible(c.Why)
	}
	_, err := fmt.Fprintf(w, "%s  opened %s by %s: %s\n  query %s\n  %s\n", c.Name, c.Opened.Local().Format(time.DateTime), visible(c.By), visible(c.Reason), visible(c.Query), state)
	return err
}

func recorderCaseShowCommand() *cobra.Command {
	var dir string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "show NAME",
		Short: "Show a case, and the events that it holds",
		Long: `Show a case, and the events that it holds. The log of accesses notes that.

Exit status: 0 it is shown, 1 bad command line, 2 there is none, or it cannot be read.`,
		Example: "  clearspan recorder case show leak-7 -d rec",
		Args:    takes("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := recorder.FindCase(dir, args[0])
			if err != nil {
				return err
			}
			if err := (&accessFlags{c.Name, ""}).note(dir, api.Viewer, "case show", c.Query); err != nil {
				return err
			}
			if !asJSON {
				if err := showCase(cmd.OutOrStdout(), c, false); err != nil {
					return err
				}
			}
			return withArchive(recorder.CaseDirectory(dir, c.Name), "", func(a *recorder.Archive) error {
				out := fullWriterTo(cmd.OutOrStdout(), asJSON)
				return a.Each(cmd.Context(), trail.Question{}, out.Full)
			})
		},
	}
	directoryFlag(cmd, &dir)
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON object a line")
	return cmd
}

func recorderCaseCloseCommand() *cobra.Command {
	var dir, reason string
	cmd := &cobra.Command{
		Use:   "close NAME",
		Short: "Let go what a case holds",
		Long: `Let go what a case holds: contents are removed when they are too old. The copies of rows
and packets in DIR/case/NAME stay, and "recorder verify" compares them.

Exit status: 0 it is closed, 1 bad command line, 2 it could not be closed.`,
		Example: `  clearspan recorder case close leak-7 --reason ticket-4711-is-done -d rec`,
		Args:    takes("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if reason == "" {
				return badConfig(errors.New("the end of a case needs --reason"))
			}
			if err := (&accessFlags{args[0], reason}).note(dir, api.Auditor, "case close", ""); err != nil {
				return err
			}
			return recorder.CloseCase(cmd.Context(), dir, args[0], reason, recorder.Operator())
		},
	}
	directoryFlag(cmd, &dir)
	cmd.Flags().StringVar(&reason, "reason", "", "why: `TEXT`")
	return cmd
}

func recorderAccessCommand() *cobra.Command {
	var dir string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "access",
		Short: "List who looked at what",
		Long: `List who looked at what was recorded, by commands and over HTTP, and who opened and
closed cases, the oldest first. "recorder verify" tells whether the log was changed.

Exit status: 0 it is listed, 1 bad command line, 2 the log cannot be read.`,
		Example: "  clearspan recorder access -d rec",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			f, err := os.Open(filepath.Join(recorder.DirectoryOf(dir), recorder.AccessName))
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if err != nil {
				return err
			}
			defer f.Close()
			for d := json.NewDecoder(f); ; {
				var a api.Access
				switch err := d.Decode(&a); {
				case errors.Is(err, io.EOF):
					return nil
				case err != nil:
					return fmt.Errorf("log of accesses: %w", err)
				}
				show := showAccess
				if asJSON {
					show = printAccess
				}
				if err := show(cmd.OutOrStdout(), &a); err != nil {
					return err
				}
			}
		},
	}
	directoryFlag(cmd, &dir)
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON object a line")
	return cmd
}

func printAccess(w io.Writer, a *api.Access) error { return json.NewEncoder(w).Encode(a) }

func showAccess(w io.Writer, a *api.Access) error {
	text := fmt.Sprintf("%s  %-10s %s", a.At.Local().Format(time.DateTime), visible(a.Who), visible(a.Route))
	for _, part := range []struct{ name, value string }{{"", a.What}, {"case ", a.Case}, {"reason ", a.Reason}} {
		if part.value != "" {
			text += "  " + part.name + visible(part.value)
		}
	}
	_, err := fmt.Fprintln(w, text)
	return err
}
