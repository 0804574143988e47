package main

import (
	"context"
	"errors"
	"fmt"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/clearspan/clearspan/appliance/recorder"
	"github.com/clearspan/clearspan/appliance/recorder/api"
	"github.com/clearspan/clearspan/appliance/recorder/trail"
)

func recorderExportCommand() *cobra.Command {
	var dir, where, format, out, identity string
	var why accessFlags
	cmd := &cobra.Command{
		Use:   "export [QUERY]",
		Short: "Hand out what was recorded: files, mail, packets, rows",
		Long: `Write what a query asks for, see "recorder search --help", to a place that is new:

  files   a directory with the files, each under its hash and its name
  eml     a directory with the mail messages
  pcapng  a capture with the frames of the sessions
  csv     a table with a line for each file, for spreadsheets
  json    lines of JSON, as search --json prints them

Exit status: 0 written, 1 bad command line, 2 it could not be written.`,
		Example: `  clearspan recorder export --directory rec --format pcapng --out case.pcapng 'client:10.1.2.3 finding:*'
  clearspan recorder export --directory rec --format files --out found 'name:report sent:true'`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			q, err := trail.Language.Parse(strings.Join(args, " "))
			if err != nil {
				return badConfig(err)
			}
			if out == "" || !slices.Contains(recorder.Formats, format) {
				return badConfig(errors.New("want --out, and --format " + strings.Join(recorder.Formats, ", ")))
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
			defer stop()
			context.AfterFunc(ctx, stop) // a second signal ends at once
			return withArchive(dir, where, func(a *recorder.Archive) error {
				if err := a.Unlock(identity); err != nil {
					return badConfig(err)
				}
				if err := why.note(dir, api.Investigator, "export", format+" "+strings.Join(args, " ")); err != nil {
					return err
				}
				e, err := recorder.Export(ctx, dir, a, trail.Question{Query: q}, format, out)
				fmt.Fprintln(cmd.ErrOrStderr(), e)
				return err
			})
		},
	}
	f := cmd.Flags()
	directoryFlag(cmd, &dir)
	f.StringVar(&where, "trail", "", trailUsage)
	f.StringVar(&format, "format", "files", "`FORMAT`: files, eml, pcapng, csv or json")
	f.StringVarP(&out, "out", "o", "", "write to `PATH`, which must be new")
	f.StringVarP(&identity, "identity", "i", "", identityUsage)
	why.add(f)
	return cmd
}
