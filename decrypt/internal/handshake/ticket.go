package handshake

import (
	"crypto/tls"
	"encoding/binary"
	"time"

	"github.com/clearspan/clearspan/decrypt/ticket"
)

const ticketLife = ticket.Periods * ticket.Period // a ticket opens for so long at most

// content is what a ticket keeps beside the state of crypto/tls.
type content struct {
	serial string    // of the leaf by which the client knows the origin, at most 255 octets
	until  time.Time // end of that leaf, in seconds
}

// seal makes a ticket that opens with the same binding alone.
func seal(keys *ticket.Keys, now time.Time, binding []byte, t content, state *tls.SessionState) ([]byte, error) {
	octets, err := state.Bytes()
	if err != nil {
		return nil, err
	}
	serial := t.serial[:min(len(t.serial), 255)]
	p := make([]byte, 0, 9+len(serial)+len(octets))
	p = binary.BigEndian.AppendUint64(p, uint64(t.until.Unix()))
	p = append(p, byte(len(serial)))
	p = append(p, serial...)
	p = append(p, octets...)
	return keys.Seal(now, p, binding), nil
}

// open returns what was sealed, and a nil state for anything else: other octets,
// another binding, a key or a leaf that is over.
func open(keys *ticket.Keys, now time.Time, binding, sealed []byte) (t content, state *tls.SessionState) {
	p, ok := keys.Open(now, sealed, binding)
	if !ok {
		return t, nil
	}
	return unpack(now, p)
}

// unpack reads the cleartext of a ticket.
func unpack(now time.Time, p []byte) (t content, state *tls.SessionState) {
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
