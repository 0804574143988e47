package main

import (
	"crypto/x509"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/clearspan/clearspan/appliance"
	"github.com/clearspan/clearspan/certs"
)

func caShow(f *caFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "show",
		Short: "Show the authorities: files, fingerprints, validity, how the key is kept",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			l, err := f.listing()
			if err != nil {
				return err
			}
			cfg, err := f.config()
			if err != nil {
				return err
			}
			trusted, untrusted := appliance.AuthorityFiles(cfg)
			other, err := certs.LoadCertificate(untrusted.Certificate)
			if err != nil {
				return missing(err)
			}
			out := cmd.OutOrStdout()
			showAuthority(out, "trusted: install this one on clients", l.Signing, trusted)
			if l.Next != nil {
				what := "next: signs from " + l.From.Local().Format(time.RFC3339) + ", install this one, too"
				if !time.Now().Before(l.From) {
					what = "next: its time has come, signs from the next reload or start on"
				}
				d := certs.Directory{Path: cfg.AuthorityDir()}
				showAuthority(out, what, l.Next, appliance.KeyPair{Certificate: d.NextCertFile(), Key: d.NextKeyFile()})
			}
			showAuthority(out, "untrusted: never install this one", other, untrusted)
			for _, old := range l.Old {
				fmt.Fprintf(out, "replaced, recognised as our own\n  subject      %s\n  sha256       %s\n", old.Subject, certs.Fingerprint(old))
			}
			return nil
		},
	}
}

func showAuthority(w io.Writer, what string, c *x509.Certificate, f appliance.KeyPair) {
	kept := "in clear, protected by file mode alone"
	encrypted, err := certs.Encrypted(f.Key)
	switch {
	case err != nil:
		kept = err.Error()
	case certs.IsTokenURI(f.Key):
		kept = "in a token"
	case encrypted:
		kept = "encrypted with a passphrase"
	}
	fmt.Fprintf(w, "%s\n  subject      %s\n  sha256       %s\n  valid        %s to %s\n  certificate  %s\n  key          %s (%s)\n",
		what, c.Subject, certs.Fingerprint(c), c.NotBefore.Format(time.DateOnly), c.NotAfter.Format(time.DateOnly), f.Certificate, f.Key, kept)
}
