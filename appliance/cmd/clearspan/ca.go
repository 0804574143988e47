package main

import (
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/clearspan/clearspan/appliance/authority"
	"github.com/clearspan/clearspan/appliance/config"
	"github.com/clearspan/clearspan/certs"
)

// errNoAuthority says that an authority is yet to be made.
var errNoAuthority = errors.New("there is no authority")

// caFlags say which appliance's authority is meant.
type caFlags struct{ file, state string }

func caCommand() *cobra.Command {
	var f caFlags
	cmd := &cobra.Command{
		Use:   "ca",
		Short: "The inspection authority",
		Long: `The inspection authority signs the certificates that clients are shown.

The first start of clearspan run creates it, or clearspan ca import takes yours. The
commands below work on the files in STATE/authority. A running appliance uses a
changed authority after clearspan reload.

STATE is that of the configuration file (-c), or of --state, or the default of
clearspan run.`,
		Example: `  clearspan ca show
  clearspan ca export > clearspan-ca.crt           # for the clients`,
	}
	cmd.PersistentFlags().StringVarP(&f.file, "config", "c", "", "configuration `FILE`")
	cmd.PersistentFlags().StringVar(&f.state, "state", "", "state `DIR`, if the appliance runs without a file")
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
		return certs.Directory{}, badConfig(fmt.Errorf("the configuration names the authority %s, and this command changes only STATE/authority: change the named files, or import them and remove authority.certificate and authority.key from the configuration", cfg.Authority.Certificate))
	}
	return authority.Directory(cfg, prompt("Passphrase of the authority's key: ")), nil
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
			ask, _ := authority.Passphrase(cfg, prompt("Passphrase of the authority's key: "))
			a, err := certs.LoadEncrypted(file, cfg.Authority.Key, ask)
			if err != nil {
				return nil, err
			}
			cert = a.Certificate()
		}
		return &certs.Listing{Signing: cert, Exported: []*x509.Certificate{cert}}, nil
	}
	l, err := certs.Directory{Path: cfg.AuthorityDir()}.List(time.Now())
	return l, missing(cfg.AuthorityDir(), err)
}

// missing replaces an error about the authority in directory if there is none, and
// says how one comes into being.
func missing(directory string, err error) error {
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if _, there := os.Stat(certs.Directory{Path: directory}.CertFile()); !errors.Is(there, fs.ErrNotExist) {
		return err
	}
	return fmt.Errorf("%w in %s: the first start of clearspan run creates it, or clearspan ca import takes yours", errNoAuthority, directory)
}
