package main

import (
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/clearspan/clearspan/appliance"
	"github.com/clearspan/clearspan/appliance/config"
	"github.com/clearspan/clearspan/certs"
)

func caCommand() *cobra.Command {
	var file, state string
	cmd := &cobra.Command{Use: "ca", Short: "The inspection authority"}
	cmd.PersistentFlags().StringVarP(&file, "config", "c", "", "configuration `FILE`")
	cmd.PersistentFlags().StringVar(&state, "state", "", "state `DIR`, if there is no file")
	load := func() (trusted, untrusted *certs.Authority, files [2]appliance.KeyPair, err error) {
		cfg, err := loadConfig(file, config.Quick{State: state})
		if err != nil {
			return nil, nil, files, badConfig(err)
		}
		files[0], files[1] = appliance.AuthorityFiles(cfg)
		if trusted, err = certs.Load(files[0].Certificate, files[0].Key); err != nil {
			if errors.Is(err, os.ErrNotExist) {
				err = fmt.Errorf("%w (it is created by the first start of clearspan run)", err)
			}
			return nil, nil, files, err
		}
		untrusted, err = certs.Load(files[1].Certificate, files[1].Key)
		return trusted, untrusted, files, err
	}
	cmd.AddCommand(&cobra.Command{
		Use:   "show",
		Short: "Show both authorities: files, fingerprints, validity",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			trusted, untrusted, files, err := load()
			if err != nil {
				return err
			}
			showAuthority(cmd.OutOrStdout(), "trusted: install this one on clients", trusted, files[0])
			showAuthority(cmd.OutOrStdout(), "untrusted: never install this one", untrusted, files[1])
			return nil
		},
	})
	cmd.AddCommand(exportCommand(func() (*certs.Authority, error) {
		trusted, _, _, err := load()
		return trusted, err
	}))
	return cmd
}

func showAuthority(w io.Writer, what string, a *certs.Authority, f appliance.KeyPair) {
	c := a.Certificate()
	fmt.Fprintf(w, "%s\n  subject      %s\n  sha256       %s\n  valid        %s to %s\n  certificate  %s\n  key          %s\n",
		what, c.Subject, a.Fingerprint(), c.NotBefore.Format(time.DateOnly), c.NotAfter.Format(time.DateOnly), f.Certificate, f.Key)
}

func exportCommand(load func() (*certs.Authority, error)) *cobra.Command {
	var format, out string
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Write the trusted authority's certificate, never its key",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			a, err := load()
			if err != nil {
				return err
			}
			data := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.Certificate().Raw})
			switch format {
			case "pem":
			case "der":
				data = a.Certificate().Raw
			default:
				return badConfig(fmt.Errorf("--format: unknown format %q, want pem or der", format))
			}
			if out == "" || out == "-" {
				_, err = cmd.OutOrStdout().Write(data)
				return err
			}
			return os.WriteFile(out, data, 0o644)
		},
	}
	cmd.Flags().StringVar(&format, "format", "pem", "pem or der")
	cmd.Flags().StringVarP(&out, "out", "o", "-", "`FILE`, - for standard output")
	return cmd
}
