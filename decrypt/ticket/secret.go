// Package ticket has the secrets from which the keys of session tickets are derived.
//
// Who holds the same secrets opens the same tickets: a process after the one that sealed
// them, or two that run at once. A secret is that of one hour. The secret of the next hour
// is derived from it, and no way leads back. Tickets thus end with the hours whose secrets
// are forgotten, in memory and wherever the secrets were kept.
package ticket

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"time"
)

const (
	// Period is how long a key seals.
	Period = time.Hour
	// Periods is for how many periods a key opens, with the one in which it seals.
	Periods = 3

	maxSteps = 24 * 366 * 10 // periods that a secret may be behind
)

// Secret is the secret of a period. The zero value is none.
type Secret struct {
	Hour   int64     // number of the period since 1970 (UTC)
	Octets [32]byte  // secret
	Until  time.Time // a secret that was replaced opens until then; zero: the secret is in use
}

// New returns a random secret that opens from now on.
func New(now time.Time) Secret {
	s := Secret{Hour: hour(now)}
	rand.Read(s.Octets[:])
	return s
}

func hour(t time.Time) int64 { return t.Unix() / int64(Period/time.Second) }

// At returns the secret of a period of the same chain. It reports false for a period that is
// over for s, and for one that is ten years ahead.
func (s Secret) At(hour int64) (Secret, bool) {
	if s.Hour < 0 || hour < s.Hour || hour-s.Hour > maxSteps {
		return Secret{}, false
	}
	for s.Hour < hour {
		s.Octets, s.Hour = s.derive("clearspan ticket next"), s.Hour+1
	}
	return s, true
}

// key returns the key of the period of s for tickets of a scope.
func (s Secret) key(scope []byte) [32]byte {
	info := binary.BigEndian.AppendUint64([]byte("clearspan ticket "), uint64(s.Hour))
	return s.derive(string(append(info, scope...)))
}

// derive is HKDF-SHA256 (RFC 5869) with s as the input key and no salt.
func (s Secret) derive(info string) (out [32]byte) {
	key, err := hkdf.Key(sha256.New, s.Octets[:], nil, info, len(out))
	if err != nil {
		panic(err) // by the length of the key
	}
	copy(out[:], key)
	return out
}
