package main

import (
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"

	"github.com/clearspan/clearspan/appliance/blockpage"
	"github.com/clearspan/clearspan/appliance/config"
	"github.com/clearspan/clearspan/appliance/rules"
	"github.com/clearspan/clearspan/certs"
	"github.com/clearspan/clearspan/decrypt/policy"
)

// checkConfig looks at what the configuration in file names and config does not
// open. Its errors have a place, all of them, one a line.
func checkConfig(file string, cfg *config.Config) error {
	c := contents{file: file}
	c.authority("certificate", cfg.Authority.Certificate, "key", cfg.Authority.Key)
	c.authority("untrusted_certificate", cfg.Authority.UntrustedCertificate, "untrusted_key", cfg.Authority.UntrustedKey)
	for i, in := range cfg.Intakes {
		for j, pair := range in.Certificates {
			_, err := tls.LoadX509KeyPair(pair.Certificate, pair.Key)
			if err != nil && !errors.Is(err, fs.ErrPermission) {
				err = fmt.Errorf("load certificate %s and its key %s: %w", pair.Certificate, pair.Key, err)
				c.add(err, "intake", strconv.Itoa(i), "certificates", strconv.Itoa(j), "certificate")
			}
		}
	}
	if _, _, err := certs.LoadRoots(cfg.Origin.Roots); err != nil { // else some are skipped
		c.roots(cfg.Origin.Roots, "origin", "roots")
	}
	for i, list := range cfg.Origin.Revocation.CRL {
		_, err := certs.LoadCRLs([]string{list})
		c.add(err, "origin", "revocation", "crl", strconv.Itoa(i))
	}
	for i, s := range cfg.Services {
		if s.Kind == config.ICAP {
			c.roots(s.Roots, "services", strconv.Itoa(i), "roots")
		}
	}
	_, err := blockpage.Load(cfg.Block.Page)
	c.add(err, "block", "page")
	_, err = rules.Table(cfg)
	c.lists(err)
	return c.all()
}

// contents collects what is wrong with what a configuration names.
type contents struct {
	file   string // of the configuration; "" if there is none
	placed config.Errors
	others []error
}

// add notes err at the value that the keys lead to.
func (c *contents) add(err error, keys ...string) {
	if err = config.At(c.file, err, keys...); err == nil {
		return
	}
	if placed, ok := err.(config.Errors); ok {
		c.placed = append(c.placed, placed...)
	} else {
		c.others = append(c.others, err)
	}
}

// all returns what was noted, in the order of the file, nil if that is nothing.
func (c *contents) all() error {
	slices.SortStableFunc(c.placed, func(a, b config.Error) int {
		return cmp.Or(a.Line-b.Line, a.Col-b.Col)
	})
	errs := c.others
	if len(c.placed) > 0 {
		errs = append([]error{c.placed}, errs...)
	}
	return errors.Join(errs...)
}

// authority loads a certificate and its key as far as that asks nobody for a
// passphrase or a PIN. The user who checks may be another one than the user who
// runs: a key that is closed to the first is passed over.
func (c *contents) authority(certKey, cert, keyKey, key string) {
	if cert == "" {
		return
	}
	if certs.IsTokenURI(key) {
		c.add(certs.CheckTokenURI(key), "authority", keyKey)
		_, err := certs.LoadCertificate(cert)
		c.add(err, "authority", certKey)
		return
	}
	_, err := certs.LoadEncrypted(cert, key, nil)
	if err != nil && !errors.Is(err, certs.ErrPassphrase) && !errors.Is(err, fs.ErrPermission) {
		c.add(err, "authority", certKey)
	}
}

// lists notes what is wrong with the lists of the policy. Faults in a list's file
// have their place there.
func (c *contents) lists(err error) {
	if all, ok := err.(interface{ Unwrap() []error }); ok {
		for _, each := range all.Unwrap() {
			c.lists(each)
		}
	} else if _, placed := errors.AsType[*policy.ListError](err); placed {
		c.others = append(c.others, err)
	} else {
		c.add(err, "policy", "lists")
	}
}

// roots loads each file of a list by itself.
func (c *contents) roots(files []string, keys ...string) {
	for i, file := range files {
		_, skipped, err := certs.LoadRoots([]string{file})
		if err == nil {
			err = errors.Join(skipped...)
		}
		c.add(err, append(keys[:len(keys):len(keys)], strconv.Itoa(i))...)
	}
}

// diagnose returns err as an error of the configuration if cfg, from file, is at
// fault for it.
func diagnose(file string, cfg *config.Config, err error) error {
	if bad := checkConfig(file, cfg); bad != nil {
		return badConfig(bad)
	}
	return err
}
