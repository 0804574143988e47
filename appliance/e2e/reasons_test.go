package e2e

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"github.com/clearspan/clearspan/certs"
)

// badOrigin is an origin with one fault.
type badOrigin struct {
	reason string
	serves *tls.Config
	host   string // what clients ask for
}

// badOrigins returns an origin for each reason, most of them under root. Whoever
// has no responder or list lives for two days: nobody is asked about them.
func badOrigins(t *testing.T, root, own *issuer) (list []badOrigin) {
	add := func(reason string, chain tls.Certificate, above ...*issuer) *tls.Config {
		for _, a := range above {
			chain.Certificate = append(chain.Certificate, a.cert.Raw)
		}
		cfg := &tls.Config{MinVersion: tls.VersionTLS10, Certificates: []tls.Certificate{chain}}
		list = append(list, badOrigin{reason, cfg, reason + ".example.test"})
		return cfg
	}
	leaf := func(by *issuer, reason string, edits ...edit) tls.Certificate {
		return by.issue(ecdsaKey(t), append([]edit{names(reason + ".example.test")}, edits...)...)
	}
	dated := func(from, to time.Duration) edit {
		return func(c *x509.Certificate) { c.NotBefore, c.NotAfter = time.Now().Add(from), time.Now().Add(to) }
	}

	add("malformed", leaf(root, "malformed", extension(asn1.ObjectIdentifier{1, 3, 9999, 1}, true, 5, 0)))
	add("own-authority", leaf(own, "own-authority"))
	add("tls-version", leaf(root, "tls-version")).MaxVersion = tls.VersionTLS11
	revoked := leaf(root, "revoked")
	revoked.OCSPStaple = root.staple(revoked.Leaf, ocsp.Revoked)
	add("revoked", revoked)
	add("weak-signature", leaf(root, "weak-signature", func(c *x509.Certificate) { c.SignatureAlgorithm = x509.ECDSAWithSHA1 }))
	add("self-signed", leaf(&issuer{TB: t}, "self-signed"))
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	add("weak-key", root.issue(weak, names("weak-key.example.test")))
	notCA := root.below("No CA", func(c *x509.Certificate) { c.IsCA, c.MaxPathLen, c.KeyUsage = false, 0, x509.KeyUsageDigitalSignature })
	add("constraint", leaf(notCA, "constraint"), notCA)
	add("unknown-issuer", leaf(newIssuer(t, "Unknown Root"), "unknown-issuer"))
	add("bad-usage", leaf(root, "bad-usage", func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} }))
	add("name-mismatch", leaf(root, "other"))
	add("expired", leaf(root, "expired", dated(-3*day, -day)))
	add("not-yet-valid", leaf(root, "not-yet-valid", dated(day, 3*day)))
	add("must-staple", leaf(root, "must-staple", extension(asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 24}, false, 0x30, 3, 2, 1, 5)))
	add("revocation-unknown", leaf(root, "revocation-unknown", dated(-day, 60*day)))
	return list
}

// TestEveryReason meets an origin of each kind of fault in each of the three ways,
// neighbours in different ones, as origin.on_invalid says by reason. None of them is
// ever shown under the authority that clients trust.
func TestEveryReason(t *testing.T) {
	const first, mode = 7001, "{mode: hard}, on_invalid: "
	ways := []string{"block", "untrusted", "tunnel"}
	root := newIssuer(t, "Root of faults")
	c := newScene(t, settings{
		Origin:  "revocation: " + mode + "{default: block}",
		Prepare: prepared(func(c *scene) { root.trust(c.PKI.RootFile) }),
	})
	authority := filepath.Dir(c.CA)
	untrusted := filepath.Join(authority, "untrusted.crt")
	origins := badOrigins(t, root, loadIssuer(t, c.CA, filepath.Join(authority, "ca.key")))
	if reasons := certs.Reasons(); len(origins) != len(reasons) {
		t.Fatalf("%d origins for %d reasons", len(origins), len(reasons))
	}
	for i, o := range origins {
		c.Listen(first+i, c.Echo(o.serves))
	}
	good := root.issue(ecdsaKey(t), names("good.example.test"))
	good.OCSPStaple = root.staple(good.Leaf, ocsp.Good)
	c.Listen(first-1, c.Echo(&tls.Config{Certificates: []tls.Certificate{good}}))

	type expectation struct{ outcome, verdict, reason string }
	want := make(map[ends]expectation)
	before := "{default: block}"
	for round := range ways {
		chosen := make(map[string]string)
		text := "{default: " + ways[round]
		for i, o := range origins {
			chosen[o.reason] = ways[(i+round)%len(ways)]
			if o.reason == string(certs.OwnAuthority) {
				chosen[o.reason] = "block" // there is no choice
			}
			if i%4 != 0 || o.reason == string(certs.OwnAuthority) {
				text += ", " + o.reason + ": " + chosen[o.reason]
				continue
			}
			// Without a word of its own the reason has its default.
			chosen[o.reason] = ways[round]
			if slices.Contains([]string{"malformed", "own-authority", "tls-version", "revoked", "weak-signature"}, o.reason) {
				chosen[o.reason] = "block"
			}
		}
		text += "}"
		c.reconfigure(mode+before, mode+text, "reloaded")
		before = text
		for i, o := range origins {
			t.Run(fmt.Sprintf("%s, %s", o.reason, chosen[o.reason]), func(t *testing.T) {
				c := c.In(t)
				s := c.look(first+i, o.host)
				if c.signed(s, c.CA) {
					t.Fatal("the client was shown a leaf under the trusted authority")
				}
				way := chosen[o.reason]
				if way == "untrusted" && o.reason == "tls-version" {
					way = "block" // no handshake, no certificate to forge after
				}
				w := expectation{map[string]string{"block": "failed", "untrusted": "bumped", "tunnel": "tunneled"}[way], o.reason, ""}
				switch way {
				case "block":
					w.reason = o.reason
					if s.err == nil || s.chain != nil || !strings.Contains(s.err.Error(), "bad certificate") {
						t.Errorf("want an alert bad certificate, got %v", s.err)
					}
				case "untrusted":
					if s.err != nil || !c.signed(s, untrusted) {
						t.Errorf("want a leaf under the untrusted authority, got %v", s.err)
					}
				case "tunnel":
					if s.err != nil || !slices.EqualFunc(s.chain, o.serves.Certificates[0].Certificate, slices.Equal) {
						t.Errorf("want the origin's own chain, got %v", s.err)
					}
				}
				want[s.port] = w
			})
		}
		if s := c.look(first-1, "good.example.test"); s.err != nil || !c.signed(s, c.CA) {
			t.Errorf("good origin: %v", s.err)
		} else {
			want[s.port] = expectation{"bumped", "ok", ""}
		}
	}
	c.Stop()
	entries := c.Entries()
	for port, w := range want {
		e := c.EntryOf(entries, port)
		if got := (expectation{e.Outcome, e.TLSOrigin.Verdict, e.Reason}); got != w || (e.TLSOrigin.Finding == "") != (w.verdict == "ok") {
			t.Errorf("want %+v, got %+v of %s: %s", w, got, e.SNI, e.TLSOrigin.Finding)
		}
	}
	if len(want) != 3*(len(origins)+1) {
		t.Errorf("%d sessions", len(want))
	}
}
