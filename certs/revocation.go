package certs

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// RevocationMode says what an unknown status means.
type RevocationMode string

const (
	RevocationOff  RevocationMode = "off"  // nobody is asked
	RevocationSoft RevocationMode = "soft" // unknown is no fault
	RevocationHard RevocationMode = "hard" // unknown is refused: [RevocationUnknown]
)

// RevocationConfig is how a [Judge] learns whether certificates were taken back.
type RevocationConfig struct {
	Mode    RevocationMode // default off
	Timeout time.Duration  // for all that one judgement asks the network for; default 3 s
	MaxCRL  int64          // octets of a list that is fetched; default 32 MiB
	CRLs    []*CRL         // lists at hand, see [LoadCRLs]
	Fetcher Fetcher        // nil: staples and lists at hand only
	Logger  *slog.Logger   // told when a source fails; nil discards
}

// Fetcher gets files by plain HTTP. Package fetch has one.
type Fetcher interface {
	// Fetch returns the answer to a GET, or, if body is not nil, to a POST of
	// body, which it borrows. More than limit octets are an error. It returns
	// when ctx ends. Safe for concurrent use.
	Fetch(ctx context.Context, url, mediaType string, body []byte, limit int64) ([]byte, error)
}

// Words for what was learned of an origin's revocation status.
const (
	// No certificate of the chain is revoked.
	StatusGood = "good"
	// A certificate of the chain is revoked.
	StatusRevoked = "revoked"
	// The status of at least one certificate is unknown: no source, or none that answered.
	StatusUnknown = "unknown"
)

const (
	maxIssued       = 16                 // certificates asked about for one judgement
	noNextUpdate    = time.Hour          // how long a source counts that does not say itself
	failureLifetime = time.Minute        // how long a failed source is left alone
	shortLived      = 7 * 24 * time.Hour // leaves up to this need no revocation (CA/Browser Forum BR 4.9.9)
)

type status uint8

const (
	statusUnknown status = iota
	statusGood
	statusRevoked
)

// answer is what a source says of a certificate, and until when that counts.
type answer struct {
	status status
	until  time.Time
}

// fresh returns the end of what a source says.
func fresh(thisUpdate, nextUpdate time.Time) time.Time {
	if nextUpdate.IsZero() {
		return thisUpdate.Add(noNextUpdate)
	}
	return nextUpdate
}

// revocation asks for the status of certificates. Safe for concurrent use.
type revocation struct {
	mode    RevocationMode
	timeout time.Duration
	local   map[string][]*CRL // by issuer name
	sources *sources          // nil: no network
}

func newRevocation(cfg RevocationConfig) *revocation {
	r := &revocation{
		mode:    cmp.Or(cfg.Mode, RevocationOff),
		timeout: cmp.Or(cfg.Timeout, 3*time.Second),
		local:   make(map[string][]*CRL),
	}
	for _, list := range cfg.CRLs {
		r.local[string(list.rawIssuer)] = append(r.local[string(list.rawIssuer)], list)
	}
	if cfg.Fetcher != nil {
		r.sources = newSources(cfg.Fetcher, cmp.Or(cfg.MaxCRL, 32<<20), cfg.Logger)
	}
	return r
}

// issuedCert is a certificate with its issuer. staple is what the origin brought for
// it, nil for all but leaves.
type issuedCert struct {
	cert, issuer *x509.Certificate
	staple       []byte
}

// statusResult is the status of a certificate, or of a path.
type statusResult struct {
	answer
	err error // why the status is unknown, or which certificate is revoked
}

// check returns the status of a path: revoked if all paths have a revoked
// certificate, good if one path has good ones only. A leaf that is revoked is so
// on every path. chains are verified, and each ends with its root, which is not
// asked about. Time spent is bounded by the timeout.
func (r *revocation) check(ctx context.Context, chains [][]*x509.Certificate, staple []byte, now time.Time) statusResult {
	if r.sources != nil {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, r.timeout)
		defer cancel()
	}
	known := r.askAll(ctx, issuedCerts(chains, staple), now)
	var best statusResult
	for i, chain := range chains {
		worst := statusResult{answer: answer{status: statusGood, until: now.Add(judgementLifetime)}}
		for n := range len(chain) - 1 {
			f, ok := known[issuedKey(chain[n], chain[n+1])]
			if !ok {
				f = statusResult{err: fmt.Errorf("more than %d certificates to ask about", maxIssued)}
			}
			if n == 0 && f.status == statusRevoked {
				return f
			}
			if f.until.IsZero() {
				f.until = now.Add(failureLifetime)
			}
			until := earliest(worst.until, f.until)
			if f.status == statusRevoked || f.status == statusUnknown && worst.status == statusGood {
				worst = f
			}
			worst.until = until
		}
		if i == 0 || rank[worst.status] > rank[best.status] {
			best = worst
		}
	}
	return best
}

// rank orders what a path is worth.
var rank = [...]int{statusRevoked: 0, statusUnknown: 1, statusGood: 2}

func issuedKey(cert, issuer *x509.Certificate) digest {
	return chainKey(0, "", []*x509.Certificate{cert, issuer})
}

func issuedCerts(chains [][]*x509.Certificate, staple []byte) map[digest]issuedCert {
	issued := make(map[digest]issuedCert)
	for _, chain := range chains {
		for n := range len(chain) - 1 {
			if len(issued) == maxIssued {
				return issued
			}
			c := issuedCert{cert: chain[n], issuer: chain[n+1]}
			if n == 0 {
				c.staple = staple
			}
			issued[issuedKey(c.cert, c.issuer)] = c
		}
	}
	return issued
}

// askAll asks about all certificates at once and waits for all answers.
func (r *revocation) askAll(ctx context.Context, issued map[digest]issuedCert, now time.Time) map[digest]statusResult {
	var mu sync.Mutex
	var wg sync.WaitGroup
	known := make(map[digest]statusResult, len(issued))
	for key, c := range issued {
		wg.Go(func() {
			f := r.ask(ctx, c, now)
			mu.Lock()
			known[key] = f
			mu.Unlock()
		})
	}
	wg.Wait()
	return known
}

// ask tries the sources of one certificate's status, the near ones first. The
// first that knows it ends the search.
func (r *revocation) ask(ctx context.Context, l issuedCert, now time.Time) statusResult {
	var faults []error
	decide := func(a answer, err error) bool {
		if err != nil {
			faults = append(faults, err)
		}
		return err == nil
	}
	done := func(a answer) statusResult {
		if a.status == statusRevoked {
			return statusResult{a, fmt.Errorf("%s has been revoked", nameOf(l.cert))}
		}
		return statusResult{answer: a}
	}
	if len(l.staple) > 0 {
		if a, err := readOCSP(l.staple, l.cert, l.issuer, now); decide(a, err) {
			return done(a)
		}
	}
	for _, list := range r.local[string(l.cert.RawIssuer)] {
		err := list.checkIssuer(l.issuer)
		var a answer
		if err == nil {
			a, err = list.status(l.cert, now)
		}
		if decide(a, err) {
			return done(a)
		}
	}
	if r.sources != nil {
		if a, err := r.sources.ask(ctx, l, now); decide(a, err) {
			return done(a)
		}
	}
	if !l.cert.IsCA && l.cert.NotAfter.Sub(l.cert.NotBefore) <= shortLived && len(l.cert.OCSPServer)+len(l.cert.CRLDistributionPoints) == 0 {
		return done(answer{status: statusGood, until: l.cert.NotAfter})
	}
	return statusResult{err: fmt.Errorf("status of %s: %w", nameOf(l.cert), errors.Join(faults...))}
}

// word is what audit entries say of a status.
func (s status) word() string {
	switch s {
	case statusGood:
		return StatusGood
	case statusRevoked:
		return StatusRevoked
	}
	return StatusUnknown
}
