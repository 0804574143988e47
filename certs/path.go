package certs

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"time"
)

// maxPresentedPath bounds the steps from a leaf upward through the certificates
// that came with it.
const maxPresentedPath = 10

// paths is what is known of the ways from a leaf to the roots.
type paths struct {
	chains [][]*x509.Certificate // each from leaf to root, none if err is set
	err    error                 // why there are none, dates apart
	date   *OriginError          // set if the chains do not hold now
	proven bool                  // the chains' signatures lead to a root, now or at another date
}

// findPaths verifies certs[0] without regard to its name. If there is no path
// now, it looks whether there was or will be one, so that a wrong date hides no
// graver fault.
func findPaths(certs []*x509.Certificate, roots *x509.CertPool, now time.Time) paths {
	intermediates := x509.NewCertPool()
	for _, cert := range certs[1:] {
		intermediates.AddCert(obeyed(cert))
	}
	verify := func(at time.Time) ([][]*x509.Certificate, error) {
		chains, err := certs[0].Verify(x509.VerifyOptions{
			Roots:         roots,
			Intermediates: intermediates,
			CurrentTime:   at,
			KeyUsages:     []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		})
		if err != nil {
			return nil, err
		}
		return withinConstraints(chains)
	}
	chains, err := verify(now)
	if err == nil {
		return paths{chains: chains, proven: true}
	}
	if _, unknown := errors.AsType[x509.UnknownAuthorityError](err); !unknown && !dateError(err) {
		return paths{err: err}
	}
	for _, at := range datesOf(certs) {
		chains, otherErr := verify(at)
		if otherErr == nil {
			return paths{chains: chains, date: outOfDate(chains[0], now), proven: true}
		}
		if !dateError(otherErr) {
			err = otherErr
		}
	}
	if dateError(err) {
		// The certificates were never valid together.
		presented := presentedPath(certs)
		return paths{chains: [][]*x509.Certificate{presented}, date: outOfDate(presented, now)}
	}
	return paths{err: err}
}

// withinConstraints returns those of chains whose constraints on directory names hold, or
// the error of the first.
func withinConstraints(chains [][]*x509.Certificate) (kept [][]*x509.Certificate, err error) {
	for _, chain := range chains {
		switch fault := checkNameConstraints(chain); {
		case fault == nil:
			kept = append(kept, chain)
		case err == nil:
			err = refuse(Constraint, fault)
		}
	}
	if len(kept) > 0 {
		return kept, nil
	}
	return nil, err
}

// datesOf returns the times at which a path of certs, if one ever held, did: the
// latest that all of them share is the end of one of them, the earliest a start.
func datesOf(certs []*x509.Certificate) []time.Time {
	var times []time.Time
	for _, cert := range certs[:min(len(certs), 3)] {
		times = append(times, cert.NotAfter, cert.NotBefore)
	}
	return times
}

// outOfDate names the first certificate of a path that is not valid now.
func outOfDate(path []*x509.Certificate, now time.Time) *OriginError {
	for _, cert := range path {
		if now.After(cert.NotAfter) {
			return refuse(Expired, fmt.Errorf("%s ended on %s", nameOf(cert), cert.NotAfter.Format(time.RFC3339)))
		}
		if now.Before(cert.NotBefore) {
			return refuse(NotYetValid, fmt.Errorf("%s starts on %s", nameOf(cert), cert.NotBefore.Format(time.RFC3339)))
		}
	}
	return refuse(UnknownIssuer, errors.New("no path to a root holds now"))
}

// presentedPath follows the issuer names from certs[0] upward.
func presentedPath(certs []*x509.Certificate) []*x509.Certificate {
	path := certs[:1:1]
	for len(path) < maxPresentedPath {
		last := path[len(path)-1]
		if selfIssued(last) {
			break
		}
		next := issuerAmong(certs[1:], last)
		if next == nil {
			break
		}
		path = append(path, next)
	}
	return path
}

func issuerAmong(certs []*x509.Certificate, child *x509.Certificate) *x509.Certificate {
	for _, cert := range certs {
		if bytes.Equal(cert.RawSubject, child.RawIssuer) {
			return cert
		}
	}
	return nil
}

func dateError(err error) bool {
	invalid, ok := errors.AsType[x509.CertificateInvalidError](err)
	return ok && invalid.Reason == x509.Expired
}
