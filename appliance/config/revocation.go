package config

import (
	"fmt"
	"net/netip"
	"time"
)

// RevocationMode says whether origins' certificates are asked about, and what an
// unknown status means.
type RevocationMode string

const (
	RevocationOff  RevocationMode = "off"  // nobody is asked
	RevocationSoft RevocationMode = "soft" // unknown passes, and is told in the audit entry
	RevocationHard RevocationMode = "hard" // unknown is invalid: revocation-unknown
)

// Revocation is how it is learned whether origins' certificates were taken back.
type Revocation struct {
	// Mode is soft by default: a session waits for sources that do not answer for
	// Timeout at most, and a server that is not reached is left alone for a
	// minute, so that a network without a way out costs few sessions that time.
	Mode RevocationMode
	// Timeout bounds all that is fetched for one judgement. Default 3s.
	Timeout time.Duration
	// MaxCRL bounds a list that is fetched, in octets. Default 32MiB.
	MaxCRL int64
	// CRL are files with revocation lists, PEM or DER, read at the start and on
	// reload.
	CRL []string
	// Allow are networks that may be asked although their addresses are not
	// public.
	Allow []netip.Prefix
}

var defaultRevocation = Revocation{Mode: RevocationSoft, Timeout: 3 * time.Second, MaxCRL: 32 << 20}

func (r *reader) revocation(n *node, v Revocation) Revocation {
	t := r.table(n, "revocation")
	v.Mode = value(t, "mode", v.Mode, oneOf(RevocationOff, RevocationSoft, RevocationHard))
	v.Timeout = value(t, "timeout", v.Timeout, duration(100*time.Millisecond, 30*time.Second))
	v.MaxCRL = value(t, "max_crl", v.MaxCRL, listSize)
	v.CRL = values(t, "crl", v.CRL, parseFile(r.dir))
	v.Allow = values(t, "allow", v.Allow, parsePrefix)
	t.close()
	return v
}

// listSize takes sizes of revocation lists that fit into memory.
func listSize(s string) (int64, error) {
	size, err := parseSize(s)
	if err == nil && (size < 1<<10 || size > 1<<30) {
		err = fmt.Errorf("want a size from 1KiB to 1GiB, not %q", s)
	}
	return int64(size), err
}
