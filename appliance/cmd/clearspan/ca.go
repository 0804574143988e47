package main

import (
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/spf13/cobra"

	"github.com/clearspan/clearspan/appliance"
	"github.com/clearspan/clearspan/appliance/config"
	"github.com/clearspan/clearspan/certs"
)

// caFlags say which appliance's authority is meant.
type caFlags struct{ file, state string }

func caCommand() *cobra.Command {
	var f caFlags
	cmd := &cobra.Command{
		Use:   "ca",
		Short: "The inspection authority",
		Long: `The inspection authority: what signs the certificates that clients are shown.

It is created by the first start of clearspan run, or imported. Commands that
change it work on STATE/authority; have the appliance read it again afterwards:
clearspan reload.`,
	}
	cmd.PersistentFlags().StringVarP(&f.file, "config", "c", "", "configuration `FILE`")
	cmd.PersistentFlags().StringVar(&f.state, "state", "", "state `DIR`, if there is no file")
	cmd.AddCommand(caShow(&f), caExport(&f), caImport(&f), caEncrypt(&f), caRotate(&f), caTrust(&f))
	return cmd
}

func (f *caFlags) config() (*config.Config, error) {
	cfg, err := loadConfig(f.file, config.Quick{State: f.state})
	if err != nil {
		return nil, badConfig(err)
	}
	return cfg, nil
}

// directory returns the directory of an authority that is to be changed, which
// must be ours.
func (f *caFlags) directory() (certs.Directory, error) {
	cfg, err := f.config()
	if err != nil {
		return certs.Directory{}, err
	}
	if cfg.Authority.Certificate != "" {
		return certs.Directory{}, badConfig(fmt.Errorf("the configuration names the authority %s: change those files, or leave authority.certificate and authority.key out and import them", cfg.Authority.Certificate))
	}
	return appliance.AuthorityDirectory(cfg, prompt("Passphrase of the authority's key: ")), nil
}

// listing returns the certificates, without asking for any passphrase.
func (f *caFlags) listing() (*certs.Listing, error) {
	cfg, err := f.config()
	if err != nil {
		return nil, err
	}
	if file := cfg.Authority.Certificate; file != "" {
		cert, err := certs.LoadCertificate(file)
		if err != nil { // PKCS #12, then
			ask, _ := appliance.Passphrase(cfg, prompt("Passphrase of the authority's key: "))
			a, err := certs.LoadEncrypted(file, cfg.Authority.Key, ask)
			if err != nil {
				return nil, err
			}
			cert = a.Certificate()
		}
		return &certs.Listing{Signing: cert, Exported: []*x509.Certificate{cert}}, nil
	}
	l, err := certs.Directory{Path: cfg.AuthorityDir()}.List(time.Now())
	return l, missing(err)
}

// missing says how a missing authority comes into being.
func missing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w (it is created by the first start of clearspan run, or by clearspan ca import)", err)
	}
	return err
}
