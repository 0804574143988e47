package main

import (
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"github.com/spf13/cobra"

	"github.com/clearspan/clearspan/appliance/authority"
	"github.com/clearspan/clearspan/appliance/config"
	"github.com/clearspan/clearspan/certs"
)

func caShow(f *caFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "show",
		Short: "Show the authorities: files, fingerprints, validity, how the key is kept",
		Long: `Show the authorities: where their files are, the fingerprints of their certificates,
how long they are valid, and how each key is kept.

  trusted    signs for origins that pass verification; install it on the clients
  next       follows the trusted one in a rotation; install it, too
  untrusted  signs for origins that fail verification; never install it
  replaced   was trusted before`,
		Example: "  clearspan ca show -c /etc/clearspan/clearspan.yaml",
		Args:    takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := f.config()
			if err != nil {
				return err
			}
			l, err := f.listing()
			if errors.Is(err, errNoAuthority) {
				return announce(cmd.OutOrStdout(), cfg)
			}
			if err != nil {
				return err
			}
			trusted, untrusted := authority.Files(cfg)
			other, err := certs.LoadCertificate(untrusted.Certificate)
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			out := cmd.OutOrStdout()
			showAuthority(out, "trusted: install this one on clients", l.Signing, trusted)
			if l.Next != nil {
				what := "next: signs from " + l.From.Local().Format(time.RFC3339) + ", install this one, too"
				if !time.Now().Before(l.From) {
					what = "next: signs from the next reload or start on"
				}
				d := certs.Directory{Path: cfg.AuthorityDir()}
				showAuthority(out, what, l.Next, config.KeyFiles{Certificate: d.NextCertFile(), Key: d.NextKeyFile()})
			}
			if other != nil {
				showAuthority(out, "untrusted: never install this one", other, untrusted)
			} else {
				fmt.Fprintln(out, "untrusted: not there yet, the first start of clearspan run creates it")
			}
			for _, old := range l.Old {
				fmt.Fprintf(out, "replaced: still known as our own\n  subject      %s\n  sha256       %s\n", old.Subject, certs.Fingerprint(old))
			}
			return nil
		},
	}
}

// announce says what the first start makes.
func announce(w io.Writer, cfg *config.Config) error {
	trusted, untrusted := authority.Files(cfg)
	for _, a := range []struct {
		what, name string
		files      config.KeyFiles
	}{{"trusted", authority.TrustedName, trusted}, {"untrusted", authority.UntrustedName, untrusted}} {
		fmt.Fprintf(w, "%s: not there yet, the first start of clearspan run creates it\n  subject      CN=%s\n  certificate  %s\n  key          %s\n",
			a.what, authority.Name(a.name, time.Now()), a.files.Certificate, a.files.Key)
	}
	_, err := fmt.Fprintln(w, "clearspan ca import takes an authority of yours instead.")
	return err
}

func showAuthority(w io.Writer, what string, c *x509.Certificate, f config.KeyFiles) {
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
