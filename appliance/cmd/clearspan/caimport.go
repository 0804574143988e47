package main

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/clearspan/clearspan/appliance/authority"
	"github.com/clearspan/clearspan/certs"
)

func caImport(f *caFlags) *cobra.Command {
	var force bool
	var passphrase string
	cmd := &cobra.Command{
		Use:   "import FILE...",
		Short: "Take an authority over from elsewhere",
		Long: `Take an authority over from elsewhere into STATE/authority: its certificate, its
key, and for an intermediate the certificates above it, which clients are sent.

Files are PEM (in any order, one file or several; keys as PKCS #8, SEC 1 or
PKCS #1), PKCS #12, or DER. clearspan replaces an authority that is there only with
--force, and keeps it in STATE/authority/old.`,
		Example: `  clearspan ca import intermediate.pem intermediate.key root.pem
  clearspan ca import authority.p12 --passphrase-file secret.txt
  clearspan ca import ~/.mitmproxy/mitmproxy-ca.pem
  clearspan ca import ca.crt ca.key                # of sslsplit -c ca.crt -k ca.key`,
		Args: takesSome("FILE"),
		RunE: func(cmd *cobra.Command, files []string) error {
			d, err := f.directory()
			if err != nil {
				return err
			}
			ask := prompt("Passphrase of the file to import: ")
			if passphrase != "" {
				ask = func() (string, error) { return authority.ReadPassphrase(passphrase) }
			}
			b, err := certs.ReadBundle(files, ask)
			if err != nil {
				if ask == nil && errors.Is(err, certs.ErrPassphrase) {
					err = fmt.Errorf("%w (name a file by --passphrase-file, or start on a terminal)", err)
				}
				return err
			}
			if err := d.Import(b, force, time.Now()); err != nil {
				if errors.Is(err, certs.ErrExists) {
					err = fmt.Errorf("%w (--force replaces it and keeps it in %s/old)", err, d.Path)
				}
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "imported %s\n  certificate  %s\n  key          %s\n", b, d.CertFile(), d.KeyFile())
			for _, file := range files {
				if info, err := os.Stat(file); err == nil && info.Mode().Perm()&0o077 != 0 {
					fmt.Fprintf(cmd.ErrOrStderr(), "warning: other users can read or write %s (mode %04o). If it holds the key, they may have the key.\n", file, info.Mode().Perm())
				}
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&force, "force", false, "replace the authority that is there, and keep it in STATE/authority/old")
	cmd.Flags().StringVar(&passphrase, "passphrase-file", "", "`FILE` with the passphrase of the imported key in its first line (default: ask on the terminal)")
	return cmd
}

func caEncrypt(f *caFlags) *cobra.Command {
	var passphrase string
	cmd := &cobra.Command{
		Use:   "encrypt",
		Short: "Encrypt the authority's key with a passphrase",
		Long: `Encrypt the authority's keys in STATE/authority with a passphrase (age, scrypt). That
includes the key of a successor and the keys in STATE/authority/old.

From then on clearspan run needs the passphrase: from authority.passphrase_file in
the configuration, from the systemd credential authority-passphrase, or from the
terminal. If the passphrase is lost, the key is lost.

age -d STATE/authority/ca.key decrypts the key.`,
		Example: `  clearspan ca encrypt
  clearspan ca encrypt --passphrase-file secret.txt`,
		Args: takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			d, err := f.directory()
			if err != nil {
				return err
			}
			switch {
			case passphrase != "":
				d.Passphrase = func() (string, error) { return authority.ReadPassphrase(passphrase) }
			case !d.Encrypt:
				d.Passphrase = promptTwice()
			}
			changed, err := d.EncryptKeys(d.Passphrase)
			for _, file := range changed {
				fmt.Fprintln(cmd.OutOrStdout(), "encrypted", file)
			}
			if err == nil && len(changed) == 0 {
				fmt.Fprintln(cmd.OutOrStdout(), "all keys are already encrypted")
			}
			return missing(d.Path, err)
		},
	}
	cmd.Flags().StringVar(&passphrase, "passphrase-file", "", "`FILE` with the passphrase in its first line (default: authority.passphrase_file, or ask on the terminal)")
	return cmd
}
