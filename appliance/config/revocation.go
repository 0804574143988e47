package config

import (
	"net/netip"

	"github.com/clearspan/clearspan/certs"
)

// Revocation is how it is learned whether origins' certificates were taken back.
type Revocation struct {
	// Its Mode is soft by default: a session waits for sources that do not answer for
	// Timeout at most, and a server that is not reached is left alone for a
	// minute, so that a network without a way out costs few sessions that time.
	certs.RevocationConfig
	// CRL are files with revocation lists, PEM or DER, read at the start and on
	// reload.
	CRL []string
	// Allow are networks that may be asked although their addresses are not
	// public.
	Allow []netip.Prefix
}

func (r *reader) revocation(n *node) (v Revocation) {
	t := r.table(n, "revocation")
	v.CRL = values(t, "crl", nil, parseFile(r.dir))
	t.fill("origin.revocation", "", &v)
	t.close()
	return v
}
