package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/clearspan/clearspan/appliance/recorder"
	"github.com/clearspan/clearspan/appliance/recorder/api"
	"github.com/clearspan/clearspan/appliance/recorder/trail"
)

// fullWriter writes events out of a trail.
type fullWriter interface{ Full(*trail.Full) error }

func fullWriterTo(w io.Writer, asJSON bool) fullWriter {
	if asJSON {
		return recorder.NewJSONLines(w)
	}
	return recorder.NewDatedListing(w)
}

func recorderSearchCommand() *cobra.Command {
	var dir, where string
	var asJSON bool
	var limit int
	var why accessFlags
	var counts countFlags
	var fields strings.Builder
	for _, f := range trail.Language.Fields() {
		fmt.Fprintf(&fields, "  %-16s %s\n", f.Name, f.About)
	}
	cmd := &cobra.Command{
		Use:   "search [QUERY]",
		Short: "Find what was recorded",
		Long: `Find events of a recorder: requests, mail, files, logins and lookups. The newest
come first.

A query has terms, all of which must match: FIELD:VALUE, FIELD>VALUE and so on. "or",
"-" and groups in brackets work as expected, * stands for anything, and commas separate
alternatives. A word without a field is looked for in hosts, addresses of the web and
of mail, subjects and names of files. text: looks into what was sent as well.

Fields:
` + strings.TrimRight(fields.String(), "\n"),
		Example: `  clearspan recorder search --directory rec 'name:report sent:true after:2026-11-01'
  clearspan recorder search --directory rec 'finding:my-number,person count>=10 -user:backup'
  clearspan recorder search --directory rec --json 'object:64c9c27b'
  clearspan recorder search --directory rec --top host 'after:2026-11-01'
  clearspan recorder search --directory rec --timeline 1h client:10.1.2.3`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			q, err := trail.Language.Parse(strings.Join(args, " "))
			if err != nil {
				return badConfig(err)
			}
			return withArchive(dir, where, func(a *recorder.Archive) error {
				if err := why.note(dir, api.Viewer, "search", strings.Join(args, " ")); err != nil {
					return err
				}
				if counts.asked() {
					return counts.show(cmd.Context(), a, trail.Question{Query: q, Limit: limit}, cmd.OutOrStdout(), asJSON)
				}
				out, n := fullWriterTo(cmd.OutOrStdout(), asJSON), 0
				var failed error
				err := a.Trail.Events(cmd.Context(), trail.Question{Query: q, Limit: limit}, func(x *trail.Full) bool {
					n++
					failed = out.Full(x)
					return failed == nil
				})
				if n == limit && !asJSON {
					fmt.Fprintf(cmd.ErrOrStderr(), "%d events are shown; there may be more: --limit\n", n)
				}
				return errors.Join(failed, err)
			})
		},
	}
	f := cmd.Flags()
	directoryFlag(cmd, &dir)
	f.StringVar(&where, "trail", "", trailUsage)
	f.BoolVar(&asJSON, "json", false, "one JSON object a line")
	f.IntVar(&limit, "limit", 100, "at most `N` events, or values of --top")
	counts.add(f)
	cmd.MarkFlagsMutuallyExclusive("top", "timeline")
	why.add(f)
	return cmd
}

// withArchive opens an archive for f.
func withArchive(dir, where string, f func(*recorder.Archive) error) error {
	a, err := recorder.OpenArchive(dir, where)
	if err != nil {
		return err
	}
	return errors.Join(f(a), a.Close())
}

func recorderShowCommand() *cobra.Command {
	var dir, where, out, identity string
	var why accessFlags
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "show ID",
		Short: "Show an event, a session or an object",
		Long: `Show everything about an event or a session, by its identifier of 32 digits, or about
an object, by its SHA-256: in which events it was seen. --out writes the octets of the
object into a file. If the recorder encrypts, that needs --identity.`,
		Example: `  clearspan recorder show --directory rec 18e42ecac3976350a0011d8ea1c48ca8
  clearspan recorder show --directory rec --out report.pdf 64c9c27b052088aaa115c0138fd230dd695aa6c9563cd6a1f1e6c09c0bbca80b`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withArchive(dir, where, func(a *recorder.Archive) error {
				if err := a.Unlock(identity); err != nil {
					return badConfig(err)
				}
				role := api.Viewer
				if out != "" {
					role = api.Investigator
				}
				if err := why.note(dir, role, "show", args[0]); err != nil {
					return err
				}
				return show(cmd.Context(), a, args[0], out, fullWriterTo(cmd.OutOrStdout(), asJSON), cmd.OutOrStdout())
			})
		},
	}
	f := cmd.Flags()
	directoryFlag(cmd, &dir)
	f.StringVar(&where, "trail", "", trailUsage)
	f.StringVarP(&out, "out", "o", "", "write the octets of the object into `FILE`")
	f.StringVarP(&identity, "identity", "i", "", identityUsage)
	why.add(f)
	f.BoolVar(&asJSON, "json", false, "one JSON object a line")
	return cmd
}

// show shows what a name stands for.
func show(ctx context.Context, a *recorder.Archive, name, out string, full fullWriter, w io.Writer) error {
	if h, err := trail.ParseHash(name); err == nil {
		if out != "" {
			return a.Extract(h, out)
		}
		n := 0
		var failed error
		err := a.Trail.Sightings(ctx, h, trail.MaxPage, func(x *trail.Full) bool {
			n++
			failed = full.Full(x)
			return failed == nil
		})
		if err == nil && n == 0 {
			err = fmt.Errorf("object %s: %w", name, trail.ErrNone)
		}
		return errors.Join(failed, err)
	}
	id, err := trail.ParseID(name)
	if err != nil {
		return badConfig(fmt.Errorf("%q is neither an identifier nor a SHA-256", name))
	}
	x, err := a.Trail.Event(ctx, id)
	if err == nil {
		return full.Full(x)
	}
	if !errors.Is(err, trail.ErrNone) {
		return err
	}
	s, err := a.Trail.Session(ctx, id)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	recorder.WriteSession(w, s)
	q, err := trail.Language.Parse("session:" + name)
	if err != nil {
		return err
	}
	var failed error
	err = a.Trail.Events(ctx, trail.Question{Query: q, Limit: trail.MaxPage}, func(x *trail.Full) bool {
		failed = full.Full(x)
		return failed == nil
	})
	return errors.Join(failed, err)
}
