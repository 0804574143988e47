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
	defaultLeafLifetime = 24 * time.Hour
	defaultCacheEntries = 100_000
	defaultCacheOctets  = 512 << 20

	// maxLeafSpan is the longest validity that Chromium accepts, backdating
	// included.
	maxLeafSpan = 200 * 24 * time.Hour
	// cacheMargin is how long before its end a leaf leaves the cache, so that a
	// session does not start with one that is about to end.
	cacheMargin = time.Hour
	// unfitLifetime bounds how long a leaf is kept that is not valid now,
	// because the origin's certificate is not.
	unfitLifetime = time.Hour
)

// LeafOptions are what operators choose for leaves.
type LeafOptions struct {
	Lifetime time.Duration // of a leaf, up to 200 days less an hour; default 24 hours
	Cache    int           // leaves kept; default 100,000
}

// ForgerConfig is what a [Forger] works with.
type ForgerConfig struct {
	Trusted   *Authority // clients trust it; required
	Untrusted *Authority // clients do not; nil makes Forge fail for untrusted leaves

	// CRL is the address of the trusted authority's revocation list, which its
	// leaves then name; "" for none.
	CRL string

	LeafOptions
	CacheOctets int64            // estimated memory of the leaves kept, in octets; default 512 MiB
	Now         func() time.Time // clock, for tests; default time.Now
}

// ForgerStats counts since the forger was made.
type ForgerStats struct {
	Forged  uint64 // leaves signed
	Hits    uint64 // calls answered from the cache
	Shared  uint64 // calls that waited for a leaf in the making
	Failed  uint64 // leaves that could not be made
	Evicted uint64 // leaves dropped for want of room
	Entries int    // leaves in the cache
	Octets  int64  // their estimated memory
}

// Forger signs leaves that mimic origins. It keeps them in a bounded cache and
// makes each once, however many sessions ask at the same time. Safe for
// concurrent use.
type Forger struct {
	trusted, untrusted *Authority
	crl                []string
	lifetime           time.Duration
	now                func() time.Time
	ecdsaKeys, rsaKeys *keyPool

	mu      sync.Mutex
	cache   *lru[*tls.Certificate]
	flights map[digest]*flight // as many as there are leaves in the making
	stats   ForgerStats        // Entries, Octets and Evicted are the cache's
}

// flight is a leaf in the making. cert and err may be read once done is closed.
type flight struct {
	done chan struct{}
	cert *tls.Certificate
	err  error
}

// NewForger checks that the two authorities are independent: a leaf of the
// untrusted one must never lead to the trusted one.
func NewForger(cfg ForgerConfig) (*Forger, error) {
	if cfg.Trusted == nil {
		return nil, errors.New("make forger: no trusted authority")
	}
	if cfg.Untrusted != nil && sharesPath(cfg.Trusted, cfg.Untrusted) {
		return nil, errors.New("make forger: untrusted authority leads to an issuer of the trusted one")
	}
	if cfg.Lifetime == 0 {
		cfg.Lifetime = defaultLeafLifetime
	}
	if cfg.Lifetime < 0 || cfg.Lifetime > maxLeafSpan-backdate {
		return nil, fmt.Errorf("make forger: leaf lifetime %v, want at most %v", cfg.Lifetime, maxLeafSpan-backdate)
	}
	if cfg.Cache == 0 {
		cfg.Cache = defaultCacheEntries
	}
	if cfg.CacheOctets == 0 {
		cfg.CacheOctets = defaultCacheOctets
	}
	if cfg.Cache < 0 || cfg.CacheOctets < 0 {
		return nil, errors.New("make forger: negative cache size")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	var crl []string
	if cfg.CRL != "" {
		crl = []string{cfg.CRL}
	}
	return &Forger{
		trusted:   cfg.Trusted,
		crl:       crl,
		untrusted: cfg.Untrusted,
		lifetime:  cfg.Lifetime,
		now:       cfg.Now,
		ecdsaKeys: newECDSAPool(),
		rsaKeys:   newRSAPool(),
		cache:     newLRU[*tls.Certificate](cfg.Cache, cfg.CacheOctets),
		flights:   make(map[digest]*flight),
	}, nil
}

// sharesPath reports whether one certificate, known by its key or as the issuer
// of the last one in a file, stands above or in both authorities.
func sharesPath(a, b *Authority) bool {
	for _, x := range a.chain {
		for _, y := range b.chain {
			if samePublicKey(x.PublicKey, y.PublicKey) || x.CheckSignatureFrom(y) == nil || y.CheckSignatureFrom(x) == nil {
				return true
			}
		}
	}
	x, y := a.chain[len(a.chain)-1], b.chain[len(b.chain)-1]
	return !selfSigned(x) && !selfSigned(y) && bytes.Equal(x.RawIssuer, y.RawIssuer)
}

// Facts of a cache key.
const (
	factTrusted = 1 << iota
	factECDSA
)

// Forge returns a leaf that mimics chain[0], the origin's certificate, or, if
// chain is empty, one for name, a DNS name or IP address. trusted selects the
// authority. The leaf's key is ECDSA P-256, or RSA of 2048 bits for clients
// without ECDSA.
//
// The result has Leaf set, is shared and must not be changed. Calls for the
// same leaf at the same time share one outcome; a call that waits for another
// one's leaf returns early when its ctx is done. An error is never kept. Forge
// borrows chain.
func (f *Forger) Forge(ctx context.Context, chain []*x509.Certificate, name string, trusted, ecdsa bool) (*tls.Certificate, error) {
	for _, cert := range chain {
		if cert == nil || len(cert.Raw) == 0 {
			return nil, errors.New("forge leaf: a certificate of the origin was not parsed")
		}
	}
	name = canonicalName(name)
	if len(chain) == 0 && name == "" {
		return nil, errors.New("forge leaf: neither an origin certificate nor a server name")
	}
	var facts uint32
	if trusted {
		facts |= factTrusted
	}
	if ecdsa {
		facts |= factECDSA
	}
	key := chainKey(facts, name, chain)
	now := f.now()

	f.mu.Lock()
	if cert, ok := f.cache.get(key, now); ok {
		f.stats.Hits++
		f.mu.Unlock()
		return cert, nil
	}
	if fl, ok := f.flights[key]; ok {
		f.stats.Shared++
		f.mu.Unlock()
		select {
		case <-fl.done:
			return fl.cert, fl.err
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	if err := ctx.Err(); err != nil {
		f.mu.Unlock()
		return nil, err
	}
	fl := &flight{done: make(chan struct{}), err: errors.New("forge leaf: signing ended early")}
	f.flights[key] = fl
	f.mu.Unlock()

	defer f.finish(key, fl, now) // even if a signer should panic
	fl.cert, fl.err = f.sign(chain, name, trusted, ecdsa, now)
	return fl.cert, fl.err
}

// finish ends a flight and keeps what it brought.
func (f *Forger) finish(key digest, fl *flight, now time.Time) {
	f.mu.Lock()
	delete(f.flights, key)
	if fl.err == nil {
		f.stats.Forged++
		f.cache.put(key, fl.cert, leafCost(fl.cert), cacheUntil(fl.cert.Leaf, now))
	} else {
		f.stats.Failed++
	}
	f.mu.Unlock()
	close(fl.done)
}

// sign makes a new leaf.
func (f *Forger) sign(chain []*x509.Certificate, name string, trusted, ecdsa bool, now time.Time) (*tls.Certificate, error) {
	authority, keys, usage := f.untrusted, f.rsaKeys, x509.KeyUsageDigitalSignature|x509.KeyUsageKeyEncipherment
	if trusted {
		authority = f.trusted
	}
	if ecdsa {
		keys, usage = f.ecdsaKeys, x509.KeyUsageDigitalSignature
	}
	if authority == nil {
		return nil, errors.New("forge leaf: no untrusted authority")
	}
	var origin, template *x509.Certificate
	var err error
	if len(chain) > 0 {
		origin = chain[0]
		template, err = mimic(origin, name)
	} else {
		template, err = templateForName(name)
	}
	if err != nil {
		return nil, fmt.Errorf("forge leaf: %v", err)
	}
	template.NotBefore, template.NotAfter, err = validity(origin, authority, f.lifetime, trusted, now)
	if err != nil {
		return nil, fmt.Errorf("forge leaf: %v", err)
	}
	key, err := keys.take(now)
	if err != nil {
		return nil, fmt.Errorf("forge leaf: %v", err)
	}
	template.SerialNumber = newSerial()
	template.KeyUsage = usage
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	template.BasicConstraintsValid = true
	template.SubjectKeyId = key.id
	template.AuthorityKeyId = authority.Certificate().SubjectKeyId
	if trusted {
		template.CRLDistributionPoints = f.crl
	}
	der, err := signLeaf(template, authority, key)
	if err != nil {
		return nil, fmt.Errorf("sign leaf: %v", err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("parse forged leaf: %v", err)
	}
	return &tls.Certificate{
		Certificate: append([][]byte{der}, authority.tail...),
		PrivateKey:  key.signer,
		Leaf:        leaf,
	}, nil
}

// cacheUntil returns when a leaf leaves the cache: some time before its end, in
// proportion if it has little time left. One that is not valid now is kept for
// a fixed time at most, and not past its start.
func cacheUntil(leaf *x509.Certificate, now time.Time) time.Time {
	if now.Before(leaf.NotBefore) {
		return earliest(leaf.NotBefore, now.Add(unfitLifetime))
	}
	left := leaf.NotAfter.Sub(now)
	if left <= 0 {
		return now.Add(unfitLifetime)
	}
	return leaf.NotAfter.Add(-min(cacheMargin, left/4))
}

// leafCost estimates the octets that a leaf takes in memory, in two encodings
// and with its place in the cache.
func leafCost(cert *tls.Certificate) int64 {
	return 2560 + 3*int64(len(cert.Certificate[0]))
}

// Stats returns the counts of now.
func (f *Forger) Stats() ForgerStats {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.stats
	s.Entries, s.Octets, s.Evicted = f.cache.len(), f.cache.cost, f.cache.evicted
	return s
}
