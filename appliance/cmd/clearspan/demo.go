package main

import (
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/clearspan/clearspan/hack/demo"
)

func demoCommand() *cobra.Command {
	var o demo.Options
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Send HTTPS and mail through clearspan and show what a recorder reads (needs root)",
		Long: `Build a network of namespaces (client, appliance, origin, recorder), fetch pages
with curl and send mail with swaks through clearspan, some of it through a virus
scanner and an inline device, and compare what the recorder on the mirror port
saw with what was sent. Everything but the capture is removed at the end. Needs
root and the packages of hack/packages.sh demo.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
			defer stop()
			var err error
			if o.Binary, err = os.Executable(); err != nil {
				return err
			}
			o.Out = cmd.OutOrStdout()
			return demo.Run(ctx, o)
		},
	}
	cmd.Flags().StringVar(&o.Keep, "keep", "demo-out", "`DIR` for the capture")
	cmd.Flags().BoolVar(&o.Wire, "wire", false, "as a bump in the wire, in place of a gateway")
	return cmd
}
