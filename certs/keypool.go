package certs

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"fmt"
	"sync"
	"time"
)

const (
	ecdsaKeys  = 8
	rsaKeys    = 2 // making one takes a tenth of a second
	keyMaxUses = 10_000
	keyMaxAge  = 24 * time.Hour
)

// keyPool hands out the keys of leaves. Several leaves share a key; each key
// is replaced when it is old or was handed out often. Safe for concurrent use.
type keyPool struct {
	generate func() (crypto.Signer, error)
	maxUses  int
	maxAge   time.Duration

	mu   sync.Mutex
	keys []leafKey
	next int
}

type leafKey struct {
	signer crypto.Signer
	spki   []byte // SubjectPublicKeyInfo in DER
	id     []byte // subject key identifier
	made   time.Time
	uses   int
}

func newECDSAPool() *keyPool {
	return newKeyPool(ecdsaKeys, func() (crypto.Signer, error) {
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	})
}

func newRSAPool() *keyPool {
	return newKeyPool(rsaKeys, func() (crypto.Signer, error) {
		return rsa.GenerateKey(rand.Reader, 2048)
	})
}

func newKeyPool(size int, generate func() (crypto.Signer, error)) *keyPool {
	return &keyPool{generate: generate, maxUses: keyMaxUses, maxAge: keyMaxAge, keys: make([]leafKey, size)}
}

// take returns a key, what it points to is shared. Keys are made when they are
// first needed, one at a time; meanwhile other callers wait.
func (p *keyPool) take(now time.Time) (leafKey, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	k := &p.keys[p.next]
	p.next = (p.next + 1) % len(p.keys)
	if k.signer == nil || k.uses >= p.maxUses || now.Sub(k.made) >= p.maxAge {
		signer, err := p.generate()
		if err != nil {
			return leafKey{}, fmt.Errorf("make leaf key: %v", err)
		}
		spki, err := x509.MarshalPKIXPublicKey(signer.Public())
		if err != nil {
			return leafKey{}, fmt.Errorf("encode leaf key: %v", err)
		}
		id, err := keyID(signer.Public())
		if err != nil {
			return leafKey{}, fmt.Errorf("encode leaf key: %v", err)
		}
		*k = leafKey{signer: signer, spki: spki, id: id, made: now}
	}
	k.uses++
	return *k, nil
}
