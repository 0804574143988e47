package decrypt

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"strings"
	"time"
)

// judge asks the verifier, notes its verdict, "ok" or a reason, and what it learned
// of revocation, and returns its error.
func (d *decision) judge(ctx context.Context, state tls.ConnectionState) error {
	var err error
	if a, ok := d.engine.cfg.Verifier.(Assessor); ok {
		d.account.OriginTLS.Revocation, d.account.OriginTLS.Fetched, err = a.Assess(ctx, d.identity(), &state)
	} else {
		err = d.engine.cfg.Verifier.Verify(ctx, d.identity(), &state)
	}
	verdict := "ok"
	if err != nil {
		verdict = "unknown"
		var r interface{ Reason() string }
		if errors.As(err, &r) {
			verdict = r.Reason()
		}
		d.account.OriginTLS.Finding = finding(err)
	}
	d.account.OriginTLS.Verdict = verdict
	return err
}

// forge makes the certificate that the client is shown for an origin of that chain.
func (d *decision) forge(ctx context.Context, chain []*x509.Certificate, trusted, ecdsa bool) (*tls.Certificate, error) {
	start := time.Now()
	leaf, err := d.engine.cfg.Forger.Forge(ctx, chain, d.serverName(), trusted, ecdsa)
	d.account.spend(StepForge, start)
	if err != nil {
		return nil, fail(reasonForge, err, 0)
	}
	return leaf, nil
}

// binding says what a client's session is good for: this name at this port, these
// certificates of the origin, this verdict on them, this one of our authorities. Which
// authorities those are is bound by the engine's keys.
func (d *decision) binding(own []tls.Certificate, trusted bool) []byte {
	p := make([]byte, 0, 512)
	bound := []string{d.identity(), d.serverName(), d.account.OriginTLS.ChainSHA256, d.account.OriginTLS.Verdict}
	for _, c := range own {
		if len(c.Certificate) > 0 {
			bound = append(bound, string(c.Certificate[0]))
		}
	}
	for _, s := range bound {
		p = binary.BigEndian.AppendUint32(p, uint32(len(s)))
		p = append(p, s...)
	}
	p = binary.BigEndian.AppendUint16(p, d.account.Origin.Port())
	if trusted {
		p = append(p, 1)
	}
	sum := sha256.Sum256(p)
	return sum[:]
}

// finding returns the beginning of what err says.
func finding(err error) string {
	const most = 256
	text := err.Error()
	return strings.ToValidUTF8(text[:min(len(text), most)], "")
}

func chainHash(chain []*x509.Certificate) string {
	h := sha256.New()
	for _, c := range chain {
		h.Write(c.Raw)
	}
	return hex.EncodeToString(h.Sum(nil))
}
