package services

import (
	"context"
	"crypto/tls"
	"errors"

	"github.com/clearspan/clearspan/appliance/config"
	"github.com/clearspan/clearspan/appliance/service/icap"
	"github.com/clearspan/clearspan/certs"
)

// Probe asks the servers of a service of kind icap for their options, and returns why
// those that do not answer well did not. It does nothing for other kinds.
func Probe(ctx context.Context, s config.Service) error {
	if s.Kind != config.ICAP {
		return nil
	}
	roots, skipped, err := certs.LoadRoots(s.Roots)
	if err := errors.Join(append(skipped, err)...); err != nil {
		return err
	}
	s.ICAP.TLS = &tls.Config{RootCAs: roots}
	client, err := icap.New(s.ICAP)
	if err != nil {
		return err
	}
	return errors.Join(client.Probe(ctx), client.Close())
}
