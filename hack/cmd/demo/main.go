// Command demo shows clearspan's main job on real traffic.
package main

import (
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/clearspan/clearspan/hack/demo"
)

func main() {
	if err := command().Execute(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func command() *cobra.Command {
	var o demo.Options
	var recorder bool
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Send HTTPS and mail through clearspan and show what a recorder reads (needs root)",
		Long: `Build a network of namespaces (client, appliance, origin, recorder), fetch pages
with curl and send mail with swaks through clearspan, some of it through a virus
scanner and an inline device, and compare what the recorder on the mirror port
saw with what was sent. Everything but the capture is removed at the end.

Needs root, and the packages of hack/packages.sh demo, with --recorder those of
hack/packages.sh record.`,
		Example: `  demo
  demo --wire --keep DIR`,
		Args:              cobra.NoArgs,
		SilenceUsage:      true,
		SilenceErrors:     true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
			defer stop()
			if o.Binary, err = filepath.Abs(o.Binary); err != nil {
				return err
			}
			o.Out = cmd.OutOrStdout()
			if recorder {
				return demo.RunRecorder(ctx, o)
			}
			return demo.Run(ctx, o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.Binary, "clearspan", "bin/clearspan", "`FILE` of the clearspan that is shown; make build writes it")
	f.StringVar(&o.Keep, "keep", "demo-out", "`DIR` for the capture")
	f.BoolVar(&recorder, "recorder", false, "clearspan recorder behind the mirror port: files, an alert, evidence")
	f.BoolVar(&o.Wire, "wire", false, "as a bump in the wire, in place of a gateway")
	return cmd
}
