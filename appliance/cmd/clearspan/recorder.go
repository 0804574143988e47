package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/clearspan/clearspan/appliance/recorder"
)

func recorderCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "recorder",
		Short: "Record who sent what, when, where to and how",
		Long: `Record what sessions say: requests, mail, files, logins and lookups, with the files
themselves, and find personal data in what is sent.

The recorder reads any cleartext capture, of this program or of another one.`,
		Example: "  clearspan recorder import mirror.pcap",
	}
	cmd.AddCommand(recorderRunCommand(), recorderStatusCommand(), recorderVerifyCommand(), recorderCaseCommand(), recorderAccessCommand(), recorderExportCommand(), recorderImportCommand(), recorderSearchCommand(), recorderShowCommand(), recorderInspectCommand(), recorderRegisterCommand(), recorderTokenCommand())
	return cmd
}

// trailUsage explains the flag of commands that open a recorder's directory.
const trailUsage = "the trail is in the ClickHouse server at `URL`, or at the one in a file"

// encryptUsage and identityUsage explain the flags of what is encrypted.
const (
	encryptUsage  = "encrypt packets and contents to `AGE1...`, a recipient of age (may be repeated)"
	identityUsage = "read what is encrypted with the identities in `FILE`, as age-keygen writes it"
)

func recorderImportCommand() *cobra.Command {
	var asJSON, received, passwords bool
	var dir, where string
	var rules ruleFlags
	var lists listFlags
	var to []string
	cmd := &cobra.Command{
		Use:   "import FILE...|-",
		Short: "Read captures, and tell what was sent and received in them",
		Long: `Read captures (pcap or pcapng, in this order, compressed or not), or standard
input (-), and print what is in them: each request, mail message, file, login and
lookup, and each file with its SHA-256, size and name. It needs neither root nor a
configuration. Nothing is kept, unless --directory says where: then "recorder search"
finds it there.

--json prints one JSON object a line. A line with the key "event" is an event, one with
"object" is a file, whose SHA-256 that is, and one with "finding" is personal or
confidential data.

` + ruleHelp + ` The name of the first
rule that names a finding stands in its line.

Exit status: 0 all was read, 1 bad command line, 2 a capture could not be read to its end.`,
		Example: `  clearspan recorder import mirror.pcap
  clearspan recorder import --json a.pcapng b.pcapng | jq -r 'select(.object) | .object + "  " + .name'
  nc 127.0.0.1 57012 | clearspan recorder import -`,
		Args: takesSome("FILE or -"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if (where != "" || to != nil) && dir == "" {
				return badConfig(errors.New("--trail and --encrypt-to need --directory"))
			}
			encrypt := recorder.Encryption{To: to}
			if err := encrypt.Check(); err != nil {
				return badConfig(err)
			}
			read, err := rules.read()
			if err != nil {
				return err
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
			defer stop()
			context.AfterFunc(ctx, stop) // a second signal ends at once
			inspect, err := lists.load(ctx)
			if err != nil {
				return err
			}
			o := recorder.ImportOptions{Directory: dir, Trail: where, Inspect: inspect, Received: received, Passwords: passwords, Inside: rules.inside, Rules: read, Encrypt: encrypt, Extractor: extractorCommand, Output: recorder.NewListing(cmd.OutOrStdout())}
			if asJSON {
				o.Output = recorder.NewJSONLines(cmd.OutOrStdout())
			}
			progress := importProgress(cmd.ErrOrStderr())
			o.Progress = progress.show
			summary, err := recorder.Import(ctx, args, o)
			progress.clear()
			if !asJSON || progress.terminal {
				fmt.Fprintln(cmd.ErrOrStderr(), summary)
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON object a line")
	cmd.Flags().StringVarP(&dir, "directory", "d", "", "keep trail and contents in `DIR`")
	rules.add(cmd.Flags())
	lists.add(cmd.Flags())
	cmd.Flags().BoolVar(&received, "received", false, receivedUsage)
	cmd.Flags().BoolVar(&passwords, "passwords", false, passwordsUsage)
	cmd.Flags().StringVar(&where, "trail", "", trailUsage)
	cmd.Flags().StringArrayVar(&to, "encrypt-to", nil, encryptUsage)
	return cmd
}

// progressLine is a line on a terminal that says how far an import has come.
type progressLine struct {
	w        io.Writer
	terminal bool
	last     time.Time
}

func importProgress(w io.Writer) *progressLine {
	f, ok := w.(*os.File)
	return &progressLine{w: w, terminal: ok && term.IsTerminal(int(f.Fd()))}
}

// show shows how many octets of a file were read, four times a second at most.
func (p *progressLine) show(name string, octets uint64) {
	if now := time.Now(); p.terminal && now.Sub(p.last) >= time.Second/4 {
		p.last = now
		fmt.Fprintf(p.w, "\r\x1b[K%s: %d MiB", visible(name), octets>>20)
	}
}

// clear takes the line away.
func (p *progressLine) clear() {
	if !p.last.IsZero() {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}
