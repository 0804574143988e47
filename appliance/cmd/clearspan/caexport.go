package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/clearspan/clearspan/appliance/authority"
	"github.com/clearspan/clearspan/certs"
)

func caExport(f *caFlags) *cobra.Command {
	var format, out string
	var next, verbose bool
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Write the trusted authority's certificate, never its key",
		Long: `Write the certificate of the authority that clients trust, never its key.

Formats:
  pem           for most systems
  der           for Windows, Android and Java
  p12           PKCS #12 with an empty password
  mobileconfig  profile for iOS and macOS

While a rotation overlaps, the output has the certificates of both authorities. der
holds one certificate: that of the authority that signs, or with --next the other.`,
		Example: `  clearspan ca export > clearspan-ca.crt
  clearspan ca export --format mobileconfig -o ca.mobileconfig`,
		Args: takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			l, err := f.listing()
			if err != nil {
				return err
			}
			list := l.Exported
			if next {
				if len(list) < 2 {
					return errors.New("--next: no rotation is under way")
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
			if err := os.WriteFile(out, data, 0o644); err != nil {
				return fmt.Errorf("write certificate: %w", err)
			}
			return told(cmd, verbose, "written to %s (%s)", out, format)
		},
	}
	cmd.Flags().StringVar(&format, "format", "pem", "`FORMAT`: pem, der, p12 or mobileconfig")
	cmd.Flags().StringVarP(&out, "out", "o", "-", "write into `FILE`, - for standard output")
	verboseFlag(cmd, &verbose)
	cmd.Flags().BoolVar(&next, "next", false, "only the authority of a rotation that does not sign")
	return cmd
}

func caTrust(f *caFlags) *cobra.Command {
	var remove bool
	cmd := &cobra.Command{
		Use:   "trust",
		Short: "Have this machine trust the authority (Debian's trust store)",
		Long: `Install the authority's certificate in the trust store of this machine. This needs
root, and Debian or a system like it with update-ca-certificates. Other systems:
clearspan ca export, and the page of authority.publish.

Programs with a trust store of their own, such as Firefox and Java, do not use this
one.`,
		Example: `  clearspan ca trust
  clearspan ca trust --remove`,
		Args: takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			var l certs.Listing
			if !remove {
				found, err := f.listing()
				if err != nil {
					return err
				}
				l = *found
			}
			changed, err := authority.Trust(l.Exported, remove)
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
