package certs

import (
	"crypto"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"errors"
	"io"
	"math/big"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"
)

// stapled is an OCSP response to be made; the zero value is good.
type stapled struct {
	status     int           // ocsp.Good
	age, until time.Duration // thisUpdate and nextUpdate from now; default an hour ago, in a day
	by         func(t testing.TB, issuer *node) (*node, bool)
	garbage    bool
	edit       func(*ocsp.Response)
}

// response is about the leaf of a chain under p's intermediate.
func (s *stapled) response(t testing.TB, p *pki, chain []*x509.Certificate) []byte {
	return s.about(t, p.inter, chain[0].SerialNumber)
}

func (s *stapled) about(t testing.TB, issuer *node, serial *big.Int) []byte {
	t.Helper()
	if s.garbage {
		return []byte{1}
	}
	template := ocsp.Response{
		Status: s.status, SerialNumber: serial, RevokedAt: testNow.Add(-day),
		ThisUpdate: testNow.Add(-time.Hour), NextUpdate: testNow.Add(day), IssuerHash: crypto.SHA1,
	}
	if s.age != 0 {
		template.ThisUpdate = testNow.Add(-s.age)
	}
	if s.until != 0 {
		template.NextUpdate = testNow.Add(s.until)
	}
	if s.edit != nil {
		s.edit(&template)
	}
	signer := issuer
	if s.by != nil {
		var within bool
		if signer, within = s.by(t, issuer); within {
			template.Certificate = signer.cert
		}
	}
	der, err := ocsp.CreateResponse(issuer.cert, signer.cert, template, signer.key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// delegate is a responder that the issuer has certified.
func delegate(edits ...edit) func(testing.TB, *node) (*node, bool) {
	return func(t testing.TB, issuer *node) (*node, bool) {
		return issue(t, issuer, ecKey(t), append([]edit{asResponder}, edits...)...), true
	}
}

func asResponder(c *x509.Certificate) {
	c.Subject = pkix.Name{CommonName: "Responder"}
	c.KeyUsage = x509.KeyUsageDigitalSignature
	c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageOCSPSigning}
}

func TestReadOCSP(t *testing.T) {
	p := newPKI(t)
	leaf := p.leaf(t)
	other := issue(t, p.root, ecKey(t), asCA("Other Intermediate"))
	for _, row := range []struct {
		name   string
		staple stapled
		want   status
		says   string // part of the error
	}{
		{"good", stapled{}, statusGood, ""},
		{"revoked", stapled{status: ocsp.Revoked}, statusRevoked, ""},
		{"unknown", stapled{status: ocsp.Unknown}, 0, "does not know"},
		{"SHA-256 in the name of the issuer", stapled{edit: func(r *ocsp.Response) { r.IssuerHash = crypto.SHA256 }}, statusGood, ""},
		{"issuer's certificate within", stapled{by: func(_ testing.TB, issuer *node) (*node, bool) { return issuer, true }}, statusGood, ""},
		{"delegate", stapled{by: delegate()}, statusGood, ""},
		{"delegate, revoked", stapled{by: delegate(), status: ocsp.Revoked}, statusRevoked, ""},
		{"no next update", stapled{age: 10 * time.Minute, edit: func(r *ocsp.Response) { r.NextUpdate = time.Time{} }}, statusGood, ""},
		{"no next update, old", stapled{age: 2 * time.Hour, edit: func(r *ocsp.Response) { r.NextUpdate = time.Time{} }}, 0, "ran out"},
		{"stale", stapled{age: 9 * day, until: -time.Second}, 0, "ran out"},
		{"of the future", stapled{age: -time.Hour}, 0, "future"},
		{"clock a little behind", stapled{age: -time.Minute}, statusGood, ""},
		{"another certificate", stapled{edit: func(r *ocsp.Response) { r.SerialNumber = big.NewInt(5) }}, 0, "no response matching"},
		{"unknown critical extension", stapled{edit: func(r *ocsp.Response) {
			r.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 3, 9999}, Critical: true, Value: []byte{5, 0}}}
		}}, 0, "critical"},
		{"signed by somebody", stapled{by: func(t testing.TB, _ *node) (*node, bool) { return issue(t, nil, ecKey(t), asCA("Nobody")), false }}, 0, "not signed"},
		{"certified by itself", stapled{by: func(t testing.TB, _ *node) (*node, bool) { return issue(t, nil, ecKey(t), asResponder), true }}, 0, "another issuer"},
		{"delegate of the same name's other key", stapled{by: func(t testing.TB, _ *node) (*node, bool) {
			twin := issue(t, nil, ecKey(t), asCA("Test Intermediate"))
			return issue(t, twin, ecKey(t), asResponder), true
		}}, 0, "not certified by"},
		{"leaf of the issuer, no responder", stapled{by: delegate(usage(digitalSignature, x509.ExtKeyUsageServerAuth))}, 0, "not certified for OCSP"},
		{"responder for any usage", stapled{by: delegate(usage(digitalSignature, x509.ExtKeyUsageAny))}, 0, "not certified for OCSP"},
		{"responder that may not sign", stapled{by: delegate(usage(x509.KeyUsageKeyEncipherment, x509.ExtKeyUsageOCSPSigning))}, 0, "may not sign"},
		{"responder out of date", stapled{by: delegate(valid(-9*day, -8*day))}, 0, "out of date"},
		{"weak responder", stapled{by: func(t testing.TB, issuer *node) (*node, bool) {
			return issue(t, issuer, rsaKey(t, 1024), asResponder), true
		}}, 0, "1024 bits"},
		{"garbage", stapled{garbage: true}, 0, "read OCSP response"},
	} {
		t.Run(row.name, func(t *testing.T) {
			a, err := readOCSP(row.staple.about(t, p.inter, leaf.cert.SerialNumber), leaf.cert, p.inter.cert, testNow)
			if a.status != row.want || (err == nil) != (row.says == "") || err != nil && !strings.Contains(err.Error(), row.says) {
				t.Errorf("got %v, %v", a, err)
			}
			if err == nil && !a.until.After(testNow) {
				t.Errorf("counts until %v", a.until)
			}
		})
	}
	// One key, two names: serial numbers are the issuer's own.
	twin := &node{cert: issue(t, p.root, p.inter.key, asCA("Second name of the intermediate")).cert, key: p.inter.key}
	if _, err := readOCSP((&stapled{}).about(t, twin, leaf.cert.SerialNumber), leaf.cert, p.inter.cert, testNow); err == nil || !strings.Contains(err.Error(), "another issuer's") {
		t.Errorf("response about another issuer's certificate: %v", err)
	}
	if _, err := readOCSP((&stapled{}).about(t, other, leaf.cert.SerialNumber), leaf.cert, p.inter.cert, testNow); err == nil {
		t.Error("response of another issuer counts")
	}
	if _, err := readOCSP(make([]byte, maxOCSP+1), leaf.cert, p.inter.cert, testNow); err == nil || !strings.Contains(err.Error(), "at most 65536") {
		t.Errorf("long response: %v", err)
	}
	refused := ocsp.UnauthorizedErrorResponse
	if _, err := readOCSP(refused, leaf.cert, p.inter.cert, testNow); !errors.As(err, new(ocsp.ResponseError)) {
		t.Errorf("got %v", err)
	}
}

// readQuestion reads an OCSP request of either method (RFC 6960, Appendix A).
func readQuestion(request *http.Request) (*ocsp.Request, error) {
	var der []byte
	var err error
	if request.Method == http.MethodPost {
		if request.Header.Get("Content-Type") != "application/ocsp-request" {
			return nil, errors.New("media type")
		}
		der, err = io.ReadAll(request.Body)
	} else {
		der, err = base64.StdEncoding.DecodeString(strings.TrimPrefix(request.URL.Path, "/ocsp/"))
	}
	if err != nil {
		return nil, err
	}
	return ocsp.ParseRequest(der)
}
