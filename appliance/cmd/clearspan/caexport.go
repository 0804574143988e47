package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/clearspan/clearspan/appliance"
	"github.com/clearspan/clearspan/certs"
)

func caExport(f *caFlags) *cobra.Command {
	var format, out string
	var next bool
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Write the trusted authority's certificate, never its key",
		Long: `Write the trusted authority's certificate, never its key.

While a rotation overlaps, both certificates are written, but for der, which
holds one: the one that signs, or with --next the other one. p12 has an empty
password; mobileconfig is a profile for iOS and macOS.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			l, err := f.listing()
			if err != nil {
				return err
			}
			list := l.Exported
			if next {
				if len(list) < 2 {
					return fmt.Errorf("--next: no rotation is under way")
				}
				list = list[1:]
			}
			data, err := certs.Export(certs.Format(format), list)
			if err != nil {
				return badConfig(err)
			}
			if out == "" || out == "-" {
				_, err = cmd.OutOrStdout().Write(data)
				return err
			}
			return os.WriteFile(out, data, 0o644)
		},
	}
	cmd.Flags().StringVar(&format, "format", "pem", "pem, der, p12 or mobileconfig")
	cmd.Flags().StringVarP(&out, "out", "o", "-", "`FILE`, - for standard output")
	cmd.Flags().BoolVar(&next, "next", false, "the other authority of a rotation alone")
	return cmd
}

func caTrust(f *caFlags) *cobra.Command {
	var remove bool
	cmd := &cobra.Command{
		Use:   "trust",
		Short: "Have this machine trust the authority (Debian's trust store)",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var l certs.Listing
			if !remove {
				found, err := f.listing()
				if err != nil {
					return err
				}
				l = *found
			}
			changed, err := appliance.Trust(l.Exported, remove)
			for _, file := range changed {
				fmt.Fprintln(cmd.OutOrStdout(), map[bool]string{false: "installed", true: "removed"}[remove], file)
			}
			if err == nil && len(changed) == 0 {
				fmt.Fprintln(cmd.OutOrStdout(), "nothing to change")
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&remove, "remove", false, "remove every authority that this command has installed")
	return cmd
}
