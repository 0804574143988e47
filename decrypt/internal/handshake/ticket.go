package handshake

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/tls"
	"encoding/binary"
	"sync"
	"time"
)

const (
	ticketPeriod  = time.Hour // how long a key seals
	ticketPeriods = 3         // for how many periods from its making it opens
)

// TicketKeys seal the session tickets of the client leg. A key is random, is
// replaced at the first use after a period, and is in this memory alone: with the
// engine all its tickets end. The zero value is ready. Safe for concurrent use.
type TicketKeys struct {
	mu   sync.Mutex
	keys [ticketPeriods]ticketKey // the newest first
}

type ticketKey struct {
	aead cipher.AEAD // nil for a key that is over
	made time.Time
}

// ticket is what a ticket keeps beside the state of crypto/tls.
type ticket struct {
	serial string    // of the leaf by which the client knows the origin, at most 255 octets
	until  time.Time // end of that leaf, in seconds
}

// current returns the keys that open at now, after making one that seals.
func (k *TicketKeys) current(now time.Time) [ticketPeriods]ticketKey {
	k.mu.Lock()
	defer k.mu.Unlock()
	for i := range k.keys {
		if now.Sub(k.keys[i].made) >= ticketPeriods*ticketPeriod {
			k.keys[i] = ticketKey{}
		}
	}
	if k.keys[0].aead == nil || now.Sub(k.keys[0].made) >= ticketPeriod {
		copy(k.keys[1:], k.keys[:])
		k.keys[0] = ticketKey{newTicketAEAD(), now}
	}
	return k.keys
}

func newTicketAEAD() cipher.AEAD {
	var key [16]byte
	rand.Read(key[:])
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

// seal makes a ticket that opens with the same binding alone.
func (k *TicketKeys) seal(now time.Time, binding []byte, t ticket, state *tls.SessionState) ([]byte, error) {
	octets, err := state.Bytes()
	if err != nil {
		return nil, err
	}
	aead := k.current(now)[0].aead
	serial := t.serial[:min(len(t.serial), 255)]
	p := make([]byte, 0, 9+len(serial)+len(octets))
	p = binary.BigEndian.AppendUint64(p, uint64(t.until.Unix()))
	p = append(p, byte(len(serial)))
	p = append(p, serial...)
	p = append(p, octets...)
	return aead.Seal(make([]byte, 0, len(p)+aead.Overhead()), nil, p, binding), nil
}

// open returns what was sealed, and a nil state for anything else: other octets,
// another binding, a key or a leaf that is over.
func (k *TicketKeys) open(now time.Time, binding, sealed []byte) (t ticket, state *tls.SessionState) {
	if len(sealed) == 0 {
		return t, nil
	}
	for _, key := range k.current(now) {
		if key.aead == nil {
			return t, nil
		}
		p, err := key.aead.Open(nil, nil, sealed, binding)
		if err != nil {
			continue
		}
		return unpack(now, p)
	}
	return t, nil
}

// unpack reads the cleartext of a ticket.
func unpack(now time.Time, p []byte) (t ticket, state *tls.SessionState) {
	if len(p) < 9 || len(p) < 9+int(p[8]) {
		return t, nil
	}
	t.until = time.Unix(int64(binary.BigEndian.Uint64(p)), 0)
	t.serial = string(p[9 : 9+int(p[8])])
	if !now.Before(t.until) {
		return t, nil
	}
	state, err := tls.ParseSessionState(p[9+int(p[8]):])
	if err != nil {
		return t, nil
	}
	return t, state
}
