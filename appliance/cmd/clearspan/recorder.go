package main

import (
	"context"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

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
	cmd.AddCommand(recorderImportCommand())
	return cmd
}

func recorderImportCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "import FILE...|-",
		Short: "Read captures, and tell what was sent and received in them",
		Long: `Read captures (pcap or pcapng, in this order, compressed or not), or standard
input (-), and print what is in them: each request, mail message, file, login and
lookup, and each file with its SHA-256, size and name. It needs neither root nor a
configuration, and keeps nothing.

--json prints one JSON object a line. A line with the key "event" is an event, one with
"object" is a file, whose SHA-256 that is, and one with "finding" is personal or
confidential data.

Exit status: 0 all was read, 1 bad command line, 2 a capture could not be read to its end.`,
		Example: `  clearspan recorder import mirror.pcap
  clearspan recorder import --json a.pcapng b.pcapng | jq -r 'select(.object) | .object + "  " + .name'
  nc 127.0.0.1 57012 | clearspan recorder import -`,
		Annotations: map[string]string{usageExit: ""},
		Args:        takesSome("FILE or -"),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
			defer stop()
			context.AfterFunc(ctx, stop) // a second signal ends at once
			o := recorder.ImportOptions{Output: recorder.NewJSONLines(cmd.OutOrStdout())}
			_, err := recorder.Import(ctx, args, o)
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON object a line")
	return cmd
}
