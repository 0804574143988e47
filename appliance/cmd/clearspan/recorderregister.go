package main

import (
	"context"
	"fmt"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/clearspan/clearspan/appliance/recorder"
)

func recorderRegisterCommand() *cobra.Command {
	var out string
	cmd := &cobra.Command{
		Use:   "register FILE...",
		Short: "Write the hashes of data that must not leave",
		Long: `Write the hashes of data that must not leave to a file: the cells of tables (.csv,
.tsv), and passages of documents. A directory stands for all files in it.

A recorder takes that file in place of the data: --registered NAME=FILE, or the key
registered of the configuration. It finds the same, and the data need not be on its
machine. The file has the key of its hashes in it: short values can be guessed by
somebody who has it.

Exit status: 0 it was written, 1 bad command line, 2 a file could not be read or written.`,
		Example: `  clearspan recorder register --out customers.hashes customers.csv
  clearspan recorder inspect --registered customers=customers.hashes outgoing/*`,
		Args: takesSome("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
			defer stop()
			context.AfterFunc(ctx, stop) // a second signal ends at once
			what, err := recorder.Register(ctx, out, args)
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s: %s\n", visible(out), what)
			return nil
		},
	}
	cmd.Flags().StringVarP(&out, "out", "o", "", "write to `FILE`")
	cmd.MarkFlagRequired("out")
	return cmd
}
