package ticket

import (
	"crypto/aes"
	"crypto/cipher"
	"sync"
	"sync/atomic"
	"time"
)

// Keys seal and open tickets by secrets, for one scope. The zero value has a secret of its
// own. Safe for concurrent use.
type Keys struct {
	secrets *Secrets
	scope   []byte

	mu      sync.Mutex // makes the ring, one caller at a time
	current atomic.Pointer[ring]
}

// ring is the keys of a period: the first seals, all open.
type ring struct {
	hour    int64
	version uint64
	until   time.Time // when the first of the secrets is over; zero: not in this period
	keys    []cipher.AEAD
}

func (r *ring) holds(now time.Time, version uint64) bool {
	return r.hour == hour(now) && r.version == version && (r.until.IsZero() || now.Before(r.until))
}

// NewKeys returns the keys that secrets have for a scope: whoever seals by another scope,
// such as another authority, has other keys. A nil secrets is a secret of its own.
func NewKeys(secrets *Secrets, scope []byte) *Keys { return &Keys{secrets: secrets, scope: scope} }

// Seal returns data sealed at now. It opens with the same binding, for two to three periods.
func (k *Keys) Seal(now time.Time, data, binding []byte) []byte {
	aead := k.ring(now).keys[0]
	return aead.Seal(make([]byte, 0, len(data)+aead.Overhead()), nil, data, binding)
}

// Open returns what Seal was given, and false for anything else: other octets, another
// binding, a period that is over.
func (k *Keys) Open(now time.Time, sealed, binding []byte) (data []byte, ok bool) {
	if len(sealed) == 0 {
		return nil, false
	}
	for _, key := range k.ring(now).keys {
		if data, err := key.Open(nil, nil, sealed, binding); err == nil {
			return data, true
		}
	}
	return nil, false
}

// ring returns the keys of now. All but the first call of a period take no lock.
func (k *Keys) ring(now time.Time) *ring {
	if r := k.current.Load(); r != nil && r.holds(now, k.secrets.version.Load()) {
		return r
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.secrets == nil {
		k.secrets = NewSecrets()
	}
	r := &ring{hour: hour(now), version: k.secrets.version.Load()}
	for _, secret := range k.secrets.List(now) {
		if u := secret.Until; !u.IsZero() && (r.until.IsZero() || u.Before(r.until)) {
			r.until = u
		}
		for at := r.hour; at > r.hour-Periods; at-- { // the newest first: most tickets are young
			if s, ok := secret.At(at); ok {
				r.keys = append(r.keys, newAEAD(s.key(k.scope)))
			}
		}
	}
	k.current.Store(r)
	return r
}

func newAEAD(key [32]byte) cipher.AEAD {
	block, err := aes.NewCipher(key[:])
	if err != nil {
		panic(err) // by the length of the key
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err) // by the block size
	}
	return aead
}
