// Command clearspan-bench measures cost and delay of clearspan against other
// programs.
package main

import (
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/clearspan/clearspan/bench"
)

func main() {
	if err := command().Execute(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func command() *cobra.Command {
	var o bench.Options
	var size int64
	var emission, recording, capture, trails bool
	var events int
	cmd := &cobra.Command{
		Use:   "clearspan-bench",
		Short: "Measure cost and delay of clearspan against other programs (needs root)",
		Long: `Measure what clearspan costs, with and without mirrors, and how long clients
wait, in a network of namespaces with nginx as origin. HAProxy, SSLsplit, Squid
and mitmproxy take part if they are installed. Rounds are interleaved; compare
ratios, not times. --quick does a fraction of the work and leaves long curves out,
in less than two minutes on a quiet machine.

With --emission: measure CPU time per segment shown on a mirror port (a veth
pair), by every method, without and with tcpdump at the far end.

With --trail: have SQLite and ClickHouse keep the events of an office, and measure
octets an event, events a second, and how long answers take.

With --recording: count the files that clearspan, Suricata, tshark and tcpflow find
in captures of which everything is known, and measure what that costs.

With --capture: have clearspan's recorder, tcpdump and dumpcap write the frames of a
port to a disk at growing rates, and measure what that costs and how many are lost.

Needs root, and the packages of hack/packages.sh test bench.`,
		Example: `  clearspan-bench --quick
  clearspan-bench --workloads handshakes,idle --only clearspan,HAProxy --rounds 9
  clearspan-bench --against OLD-CLEARSPAN
  clearspan-bench --emission
  clearspan-bench --recording --size 512
  clearspan-bench --capture --rounds 3
  clearspan-bench --trail --events 1000000 --only sqlite`,
		Args:              cobra.NoArgs,
		SilenceUsage:      true,
		SilenceErrors:     true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
			defer stop()
			self, err := os.Executable()
			if err != nil {
				return err
			}
			// Programs under test run in directories of their own.
			for _, path := range []*string{&o.Binary, &o.Against, &o.Profiles} {
				if *path == "" {
					continue
				}
				if *path, err = filepath.Abs(*path); err != nil {
					return err
				}
			}
			o.Floor, o.Out = []string{self, "floor"}, cmd.OutOrStdout()
			if cmd.Flags().Changed("size") {
				o.Size = size << 20
			}
			if emission {
				return bench.Emission(ctx, bench.EmissionOptions{Out: o.Out, Results: o.Results, Rounds: o.Rounds, Size: o.Size})
			}
			if recording {
				return bench.Recording(ctx, bench.RecordingOptions{Out: o.Out, Binary: o.Binary, Only: o.Only, Results: o.Results, Rounds: o.Rounds, Size: o.Size})
			}
			if capture {
				return bench.Capture(ctx, bench.CaptureOptions{Out: o.Out, Binary: o.Binary, Self: self, Only: o.Only, Results: o.Results, Rounds: o.Rounds})
			}
			if trails {
				return bench.Trail(ctx, bench.TrailOptions{Out: o.Out, Only: o.Only, Rounds: o.Rounds, Events: events})
			}
			return bench.Run(ctx, o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.Binary, "clearspan", "bin/clearspan", "`FILE` of the clearspan under test; make build writes it")
	f.IntVar(&o.Rounds, "rounds", 0, "interleaved rounds; default 5, with --quick 1")
	f.IntVar(&o.Clients, "clients", 4, "parallel downloads")
	f.Int64Var(&size, "size", 0, "MiB a download, default 256, with --quick 32; with --emission MiB a measurement, default 1024; with --recording MiB of files, default 512")
	f.BoolVar(&o.Quick, "quick", false, "a fraction of the work")
	f.StringSliceVar(&o.Workloads, "workloads", nil, "`NAMES` of the workloads, by comma, of "+strings.Join(bench.Workloads(), ", ")+"; default all")
	f.StringSliceVar(&o.Only, "only", nil, "`NAMES` of the programs that take part, as in the table, by comma")
	f.StringVar(&o.Against, "against", "", "`FILE` of another clearspan that takes part, to see what a change did")
	f.BoolVar(&emission, "emission", false, "measure the methods of mirror ports instead")
	f.BoolVar(&recording, "recording", false, "measure recorders instead")
	f.BoolVar(&capture, "capture", false, "measure the capture of recorders instead")
	f.BoolVar(&trails, "trail", false, "measure the stores of a recorder's trail instead")
	f.IntVar(&events, "events", 10_000_000, "with --trail: `N` events, over 90 days")
	f.StringVar(&o.Results, "results", "", "`DIR` for the figures as JSON")
	f.StringVar(&o.Profiles, "profiles", "", "`DIR` for CPU profiles of clearspan (pprof)")
	cmd.AddCommand(&cobra.Command{
		Use:    "capture IF DIR",
		Short:  "Write the frames of an interface to volumes; a measurement starts it",
		Hidden: true,
		Args:   cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return bench.CaptureOnly(args[0], args[1], cmd.OutOrStdout())
		},
	}, &cobra.Command{
		Use:    "floor LISTEN ORIGIN",
		Short:  "Copy and encrypt octets, for comparison; a measurement starts it",
		Hidden: true,
		Args:   cobra.ExactArgs(2),
		RunE:   func(_ *cobra.Command, args []string) error { return bench.Floor(args[0], args[1]) },
	})
	return cmd
}
