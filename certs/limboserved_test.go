package certs

import (
	"crypto"
	"crypto/x509"
	"testing"
	"time"
)

// TestLimboServed serves every case that comes with a key through an engine. A
// bad origin, or one that is refused for a listed reason, never yields a leaf
// under the trusted authority. Each is met in one way, in a thorough run in all.
func TestLimboServed(t *testing.T) {
	forger := testForger(t, func(c *ForgerConfig) { c.Now = nil })
	served, met, good := 0, 0, 0
	for _, c := range limboCases(t) {
		if c.Key == "" {
			continue
		}
		served++
		chain, key := c.presented(t), limboKey(t, c)
		_, listed := limboDeviations[c.ID]
		bad := c.good() == listed // good and listed: refused; bad and listed: accepted
		if !bad {
			good++
		}
		for response, r := range waysOf(served) {
			met++
			m := meet(t, c.judge(t, forger.trusted.Certificate(), forger.untrusted.Certificate()), forger, r, serveRaw(t, chain, key, nil), c.name())
			if !bad && m.session.Reason == "forge" && !validToday(t, chain[0]) {
				continue // good at the time of the case, and no leaf can be good then
			}
			wantMeeting(t, c.ID, response, m, forger, chain, bad)
		}
	}
	if served < 175 || good < 40 {
		t.Errorf("%d cases served, %d of them good", served, good)
	}
	t.Logf("%d cases served %d times, %d of them good", served, met, good)
}

func validToday(t *testing.T, leaf []byte) bool {
	cert := parse(t, leaf)
	return time.Now().After(cert.NotBefore) && time.Now().Before(cert.NotAfter)
}

// limboKey returns the key of a case, nil for a kind that crypto/tls does not
// sign with.
func limboKey(t *testing.T, c *limboCase) crypto.PrivateKey {
	octets := der(t, c.Key)
	if key, err := x509.ParseECPrivateKey(octets); err == nil {
		return key
	}
	if key, err := x509.ParsePKCS1PrivateKey(octets); err == nil {
		return key
	}
	if key, err := x509.ParsePKCS8PrivateKey(octets); err == nil {
		return key
	}
	return nil
}
