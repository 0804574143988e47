package certs

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"sync"
	"time"
)

const (
	judgementLifetime = 5 * time.Minute
	judgementEntries  = 10_000
	judgementOctets   = 64 << 20 // DER behind the refusals that are kept
	acceptedCost      = 512      // octets of an entry that keeps no certificate

	pathEntries = 2_000    // chains whose ways to the roots are kept
	pathOctets  = 32 << 20 // their DER and what was parsed of it, estimated
)

// JudgeConfig is what a [Judge] holds origins against.
type JudgeConfig struct {
	Roots      *x509.CertPool      // trusted roots; nil means the system's
	Own        []*x509.Certificate // certificates of all inspection authorities
	MinVersion uint16              // oldest TLS of the origin leg; default tls.VersionTLS12
	Revocation RevocationConfig
	Issuers    IssuersConfig    // of certificates that an origin leaves out
	Now        func() time.Time // clock, for tests; default time.Now
}

// Judge decides whether an origin's certificates prove its name. It does what
// crypto/x509 does, and refuses besides: RSA keys below 2048 bits or of an odd
// size anywhere in the path; MD5 and SHA-1 signatures under their right name;
// CA certificates as leaves; leaves whose usages are not a TLS server's;
// wildcards over public suffixes; a missing staple where the certificate
// demands one; certificates that were revoked, as configured; and whatever an
// inspection authority of ours has signed.
//
// A judgement is kept for a short time under the hash of everything that went
// into it: all presented certificates, the name, the TLS version and the staple.
// It is never kept beyond a certificate's notAfter, nor beyond what it was told
// of revocation. The ways from a chain to the roots, which no name changes, are
// kept apart, so that names under one certificate do not cost its signatures each.
// A judge is bound to its configuration; a new configuration
// takes a new judge. Safe for concurrent use.
type Judge struct {
	roots      *x509.CertPool
	own        []*x509.Certificate
	minVersion uint16
	revocation *revocation
	issuers    *issuers // nil: none is fetched
	now        func() time.Time

	mu    sync.Mutex
	cache *lru[judgement]
	paths *lru[paths] // those that hold
}

// judgement is what is known of an origin.
type judgement struct {
	fault      *OriginError // nil for an origin that may be trusted
	revocation string       // a word of [StatusGood] and so on, "" if nobody was asked
	fetched    int          // issuers' certificates that the origin had left out
}

// NewJudge keeps references to the pool and certificates of cfg, which must not
// be changed afterwards.
func NewJudge(cfg JudgeConfig) *Judge {
	j := &Judge{
		roots:      cfg.Roots,
		own:        cfg.Own,
		minVersion: cfg.MinVersion,
		revocation: newRevocation(cfg.Revocation),
		issuers:    newIssuers(cfg.Issuers),
		now:        cfg.Now,
		cache:      newLRU[judgement](judgementEntries, judgementOctets),
		paths:      newLRU[paths](pathEntries, pathOctets),
	}
	if j.minVersion == 0 {
		j.minVersion = tls.VersionTLS12
	}
	if j.now == nil {
		j.now = time.Now
	}
	return j
}

// Verify is [Judge.Assess] without a word on revocation and issuers.
func (j *Judge) Verify(ctx context.Context, name string, state *tls.ConnectionState) error {
	_, _, err := j.Assess(ctx, name, state)
	return err
}

// Assess returns a nil error if the origin may be trusted as name, a DNS name or
// an IP address; a trailing dot is ignored and an empty name never matches. Any
// error is an [*OriginError]; of several faults it has the one that comes first
// in [Reasons]. It also says what was learned of revocation: [StatusGood],
// [StatusUnknown], [StatusRevoked], or "" if nobody was asked, because the mode
// is off or there is no path to a root, and how many certificates of issuers were fetched
// because the origin had left them out. Assess borrows state. It waits for the
// network no longer than configured, and not at all once ctx has ended.
func (j *Judge) Assess(ctx context.Context, name string, state *tls.ConnectionState) (revocation string, fetched int, err error) {
	if state == nil || len(state.PeerCertificates) == 0 {
		return "", 0, refuse(Malformed, errors.New("the origin presented no certificate"))
	}
	certs := state.PeerCertificates
	for _, cert := range certs {
		if cert == nil || len(cert.Raw) == 0 {
			return "", 0, refuse(Malformed, errors.New("a certificate was not parsed"))
		}
	}
	name = canonicalName(name)
	now := j.now().Truncate(time.Second) // validity has no fractions (RFC 5280, Section 4.1.2.5)
	key := judgementKey(name, state)

	j.mu.Lock()
	known, ok := j.cache.get(key, now)
	j.mu.Unlock()
	if !ok {
		var until time.Time
		known, until = j.judge(ctx, name, state, now)
		cost := int64(acceptedCost)
		if known.fault != nil {
			cost += 2 * derLen(certs)
		}
		if ctx.Err() == nil { // else it may know less than there is to know
			j.mu.Lock()
			j.cache.put(key, known, cost, earliest(keepUntil(certs, now), until))
			j.mu.Unlock()
		}
	}
	if known.fault == nil {
		return known.revocation, known.fetched, nil
	}
	return known.revocation, known.fetched, known.fault
}

// judgementKey hashes all that a judgement depends on.
func judgementKey(name string, state *tls.ConnectionState) digest {
	// The number of certificates tells where they end and the staple begins.
	facts := uint32(state.Version) | uint32(len(state.PeerCertificates))<<16
	return chainKey(facts, name, state.PeerCertificates, state.OCSPResponse)
}

// keepUntil ends a judgement at the next date at which it may change.
func keepUntil(certs []*x509.Certificate, now time.Time) time.Time {
	until := now.Add(judgementLifetime)
	for _, cert := range certs {
		for _, t := range []time.Time{cert.NotBefore, cert.NotAfter} {
			if t.After(now) {
				until = earliest(until, t)
			}
		}
	}
	return until
}

// judge applies the rules in the order of [Reasons], and says until when what it
// was told of revocation counts.
func (j *Judge) judge(ctx context.Context, name string, state *tls.ConnectionState, now time.Time) (judgement, time.Time) {
	certs := state.PeerCertificates
	presented := presentedPath(certs)
	forever := now.Add(judgementLifetime)
	if err := j.checkOwn(certs, presented); err != nil {
		return judgement{fault: refuse(OwnAuthority, err)}, forever
	}
	if err := checkSize(certs); err != nil {
		return judgement{fault: refuse(Malformed, err)}, forever
	}
	found := j.findPaths(certs, now)
	fetched, told := 0, forever
	if j.issuers != nil && reasonOfX509(found.err) == UnknownIssuer {
		found, fetched = j.issuers.complete(ctx, certs, now, found, func(c []*x509.Certificate) paths { return j.findPaths(c, now) })
		told = now.Add(failureLifetime)
	}
	if fetched > 0 {
		told = forever
	}
	verdict, until := j.judgePaths(ctx, name, state, now, found)
	verdict.fetched = fetched
	return verdict, earliest(until, told)
}

// judgePaths is judge once the ways to the roots are known.
func (j *Judge) judgePaths(ctx context.Context, name string, state *tls.ConnectionState, now time.Time, found paths) (judgement, time.Time) {
	presented, forever := presentedPath(state.PeerCertificates), now.Add(judgementLifetime)
	for _, chain := range found.chains {
		if err := j.checkOwn(chain, chain); err != nil {
			return judgement{fault: refuse(OwnAuthority, err)}, forever
		}
	}
	if state.Version < j.minVersion {
		return judgement{fault: refuse(TLSVersion, fmt.Errorf("%s, want %s or later",
			tls.VersionName(state.Version), tls.VersionName(j.minVersion)))}, forever
	}
	lines := found.chains
	if len(lines) == 0 {
		lines = [][]*x509.Certificate{presented}
	}
	if err := anyPath(lines, checkSerials); err != nil {
		return judgement{fault: refuse(Malformed, err)}, forever
	}
	if found.err != nil {
		return judgement{fault: explain(found.err, presented)}, forever
	}
	fault := j.checkPaths(name, state, found, now)
	if !found.proven || j.revocation.mode == RevocationOff {
		return judgement{fault: fault}, forever
	}
	status := j.revocation.check(ctx, found.chains, state.OCSPResponse, now)
	switch {
	case status.status == statusRevoked:
		fault = refuse(Revoked, status.err)
	case status.status == statusUnknown && j.revocation.mode == RevocationHard && fault == nil:
		fault = refuse(RevocationUnknown, status.err)
	}
	return judgement{fault: fault, revocation: status.status.word()}, status.until
}

// findPaths is [findPaths], remembered for as long as a judgement. What it returns
// is shared.
func (j *Judge) findPaths(certs []*x509.Certificate, now time.Time) paths {
	key := chainKey(uint32(len(certs)), "", certs)
	j.mu.Lock()
	found, ok := j.paths.get(key, now)
	j.mu.Unlock()
	if ok {
		return found
	}
	found = findPaths(certs, j.roots, now)
	if found.err == nil && found.date == nil {
		until := keepUntil(certs, now)
		for _, chain := range found.chains {
			until = earliest(until, keepUntil(chain, now))
		}
		j.mu.Lock()
		j.paths.put(key, found, acceptedCost+4*derLen(certs), until)
		j.mu.Unlock()
	}
	return found
}

// checkPaths looks for what crypto/x509 accepts and we do not.
func (j *Judge) checkPaths(name string, state *tls.ConnectionState, found paths, now time.Time) *OriginError {
	leaf := state.PeerCertificates[0]
	if err := anyPath(found.chains, checkKeys); err != nil {
		return refuse(WeakKey, err)
	}
	if err := checkConstraints(leaf, found.chains); err != nil {
		return refuse(Constraint, err)
	}
	if err := checkServerUsage(leaf); err != nil {
		return refuse(BadUsage, err)
	}
	if err := matchName(leaf, name); err != nil {
		return refuse(NameMismatch, err)
	}
	if found.date != nil {
		return found.date
	}
	return checkStaple(leaf, found.chains, state.OCSPResponse, now)
}

// checkOwn looks for our own authorities: their keys in any certificate, their
// signatures along a path.
func (j *Judge) checkOwn(certs, path []*x509.Certificate) error {
	for _, own := range j.own {
		for _, cert := range certs {
			if samePublicKey(own.PublicKey, cert.PublicKey) {
				return fmt.Errorf("%s has the key of an inspection authority", nameOf(cert))
			}
		}
		for _, cert := range path {
			if !bytes.Equal(cert.RawIssuer, own.RawSubject) &&
				(len(own.SubjectKeyId) == 0 || !bytes.Equal(cert.AuthorityKeyId, own.SubjectKeyId)) {
				continue
			}
			if own.CheckSignature(cert.SignatureAlgorithm, cert.RawTBSCertificate, cert.Signature) == nil {
				return fmt.Errorf("%s is signed by an inspection authority", nameOf(cert))
			}
		}
	}
	return nil
}

// explain finds the reason why there is no path to a root. presented is what
// the origin offers as one.
func explain(err error, presented []*x509.Certificate) *OriginError {
	if known, ok := errors.AsType[*OriginError](err); ok {
		if err := checkKeys(presented); err != nil {
			return refuse(WeakKey, err)
		}
		return known
	}
	reason := reasonOfX509(err)
	if reason == "" || reason == Malformed {
		return refuse(Malformed, err)
	}
	if err := checkSignatureAlgorithms(presented); err != nil {
		return refuse(WeakSignature, err)
	}
	if selfSigned(presented[0]) {
		return refuse(SelfSigned, err)
	}
	// A signature by a key that is far too small does not verify: that looks
	// like an unknown issuer.
	if err := checkKeys(presented); err != nil {
		return refuse(WeakKey, err)
	}
	if err := checkIssuers(presented); err != nil {
		return refuse(Constraint, err)
	}
	return refuse(reason, err)
}

// reasonOfX509 maps an error of crypto/x509, or returns "" for another one.
func reasonOfX509(err error) Reason {
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok {
		switch invalid.Reason {
		case x509.Expired:
			return Expired
		case x509.IncompatibleUsage, x509.CANotAuthorizedForExtKeyUsage:
			return BadUsage
		}
		return Constraint
	}
	if _, ok := errors.AsType[x509.HostnameError](err); ok {
		return NameMismatch
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return UnknownIssuer
	}
	if _, ok := errors.AsType[x509.SystemRootsError](err); ok {
		return UnknownIssuer
	}
	if _, ok := errors.AsType[x509.UnhandledCriticalExtension](err); ok {
		return Malformed
	}
	if _, ok := errors.AsType[x509.InsecureAlgorithmError](err); ok {
		return WeakSignature
	}
	return ""
}
