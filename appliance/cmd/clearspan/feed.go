package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/clearspan/clearspan/appliance/feedcheck"
	"github.com/clearspan/clearspan/mirror/conformance"
)

// exitNotReady is the exit code for a feed with defects.
const exitNotReady = 1

func feedCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "feed",
		Short:   "Look at what recorders get",
		Long:    "Look at what recorders get: captures, or the traffic of a recorder's port.",
		Example: "  clearspan feed check mirror.pcap",
	}
	cmd.AddCommand(feedCheckCommand())
	return cmd
}

func feedCheckCommand() *cobra.Command {
	var o feedcheck.Options
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "check FILE...|IF|-",
		Short: "Tell whether a feed of decrypted traffic is ready for recorders, and why not",
		Long: `Hold every frame of a feed against the rules that recorders depend on: good
checksums, no acknowledgement before its data, whole handshakes, true ends and
others. mirror/README.md lists the rules. The feed may come from any program: clearspan,
SSLsplit -I, SSLproxy, or a firewall's decryption mirror.

The feed is read from captures (pcap or pcapng, in this order), from a network
interface, or from standard input (-).

Each rule has a line: ok, FAIL, note (no defect, but good to know), or not seen (the
feed has nothing that the rule is about). Below stand the first frames that break
the rule, and the effect on recorders.

Exit status: 0 ready, 1 not ready, 2 the capture could not be read to its end.`,
		Example: `  clearspan feed check mirror.pcap
  clearspan feed check rec0 --for 5m               # on the recorder, needs CAP_NET_RAW
  nc 127.0.0.1 57012 | clearspan feed check - --for 1m --cut
  clearspan feed check --json mirror.pcapng | jq -r '.results[] | select(.status == "FAIL") | .rule'`,
		Annotations: map[string]string{usageExit: ""},
		Args:        takesSome("FILE, IF or -"),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
			defer stop()
			context.AfterFunc(ctx, stop) // a second signal ends at once
			o.Progress = cmd.ErrOrStderr()
			report, err := feedcheck.Run(ctx, args, o)
			if report != nil {
				err = errors.Join(showReport(cmd.OutOrStdout(), report, asJSON), err)
			}
			if err == nil && !report.Ready {
				return &exitError{exitNotReady, errors.New("the feed is not ready for recorders")}
			}
			return err
		},
	}
	f := cmd.Flags()
	f.DurationVar(&o.For, "for", 0, "how long to read an interface (default 1m) or standard input (default to its end)")
	f.BoolVar(&asJSON, "json", false, "one JSON object")
	f.IntVar(&o.MTU, "mtu", 1500, "longest packet that the recorder's port takes, in `OCTETS`")
	f.BoolVar(&o.Cut, "cut", false, "accept sessions that begin before the capture or end after it (always so on an interface)")
	return cmd
}

func showReport(w io.Writer, r *conformance.Report, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(w).Encode(r)
	}
	return r.WriteText(w)
}
