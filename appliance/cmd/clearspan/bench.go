package main

import (
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/clearspan/clearspan/bench"
)

func benchCommand() *cobra.Command {
	var o bench.Options
	var size int64
	var emission bool
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure the relay's cost against HAProxy and SSLsplit (needs root)",
		Long: `Measure CPU time per GiB relayed, with and without mirrors, in a network of
namespaces with nginx as origin and curl as client. HAProxy and SSLsplit take
part if they are installed. Rounds are interleaved; compare ratios, not times.

With --emission: measure CPU time per segment shown on a mirror port (a veth
pair), by every method, without and with tcpdump at the far end.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
			defer stop()
			var err error
			if o.Binary, err = os.Executable(); err != nil {
				return err
			}
			o.Out, o.Size = cmd.OutOrStdout(), size<<20
			if emission {
				e := bench.EmissionOptions{Out: o.Out, Results: o.Results, Rounds: o.Rounds}
				if cmd.Flags().Changed("size") {
					e.Size = o.Size
				}
				return bench.Emission(ctx, e)
			}
			return bench.Run(ctx, o)
		},
	}
	f := cmd.Flags()
	f.IntVar(&o.Rounds, "rounds", 5, "interleaved rounds")
	f.IntVar(&o.Clients, "clients", 4, "parallel downloads")
	f.Int64Var(&size, "size", 256, "MiB a download; with --emission MiB a measurement, default 1024")
	f.StringSliceVar(&o.Only, "only", nil, "`NAMES` of the programs that take part, as in the table, by comma")
	f.BoolVar(&emission, "emission", false, "measure the methods of mirror ports instead")
	f.StringVar(&o.Results, "results", "", "`DIR` for the figures as JSON")
	return cmd
}
