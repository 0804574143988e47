package certs

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"encoding/xml"
	"io"
	"os/exec"
	"strings"
	"testing"
	"time"

	"software.sslmate.com/src/go-pkcs12"

	"github.com/clearspan/clearspan/hack/needs"
)

func TestExport(t *testing.T) {
	a, b := testAuthority(t, "One & <Only>"), testAuthority(t, "Two")
	both := []*x509.Certificate{a.Certificate(), b.Certificate()}
	for _, f := range Formats {
		data, err := Export(f, both)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(data, []byte("PRIVATE KEY")) {
			t.Errorf("%s holds a key", f)
		}
		var got []*x509.Certificate
		switch f {
		case PEM:
			got, err = parseCertificates(data)
		case DER:
			var one *x509.Certificate
			one, err = x509.ParseCertificate(data)
			got = []*x509.Certificate{one, b.Certificate()}
		case PKCS12:
			got, err = pkcs12.DecodeTrustStore(data, "")
		case MobileConfig:
			got, err = payloads(data)
		}
		if err != nil || len(got) != 2 || !got[0].Equal(a.Certificate()) || !got[1].Equal(b.Certificate()) {
			t.Errorf("%s: %d certificates, %v", f, len(got), err)
		}
		if again, _ := Export(f, both); f != PKCS12 && !bytes.Equal(data, again) {
			t.Errorf("%s changes from call to call", f)
		}
	}
	if _, err := Export("jks", both); err == nil {
		t.Error("unknown format accepted")
	}
	if _, err := Export(PEM, nil); err == nil {
		t.Error("nothing exported")
	}
}

// payloads reads the certificates of a profile.
func payloads(data []byte) (certs []*x509.Certificate, err error) {
	d := xml.NewDecoder(bytes.NewReader(data))
	for {
		token, err := d.Token()
		if err == io.EOF {
			return certs, nil
		}
		if err != nil {
			return nil, err
		}
		if start, ok := token.(xml.StartElement); ok && start.Name.Local == "data" {
			var text string
			if err := d.DecodeElement(&text, &start); err != nil {
				return nil, err
			}
			der, err := base64.StdEncoding.DecodeString(text)
			if err != nil {
				return nil, err
			}
			cert, err := x509.ParseCertificate(der)
			if err != nil {
				return nil, err
			}
			certs = append(certs, cert)
		}
	}
}

func TestOpenSSLReadsExports(t *testing.T) {
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		needs.Missing(t, err)
	}
	a := testAuthority(t, "Test Inspection")
	list, err := NewRevocationList(a, nil)
	if err != nil {
		t.Fatal(err)
	}
	crl, err := list.DER()
	if err != nil {
		t.Fatal(err)
	}
	p12, err := Export(PKCS12, []*x509.Certificate{a.Certificate()})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	in := files(t, map[string][]byte{"ca.p12": p12, "ca.crl": crl, "ca.pem": a.PEM()})
	for _, row := range []struct {
		want string
		args []string
	}{
		{"CN = Test Inspection", []string{"pkcs12", "-in", in("ca.p12")[0], "-passin", "pass:", "-nokeys"}},
		{"verify OK", []string{"crl", "-inform", "DER", "-in", in("ca.crl")[0], "-noout", "-CAfile", in("ca.pem")[0]}},
	} {
		if out, err := run(openssl, dir, row.args...); err != nil || !strings.Contains(out, row.want) {
			t.Errorf("openssl %s: %v\n%s", row.args[0], err, out)
		}
	}
}

func TestRevocationList(t *testing.T) {
	now := testNow
	a := testAuthority(t, "")
	list, err := NewRevocationList(a, func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	read := func() *x509.RevocationList {
		der, err := list.DER()
		if err != nil {
			t.Fatal(err)
		}
		crl, err := x509.ParseRevocationList(der)
		if err != nil {
			t.Fatal(err)
		}
		if err := crl.CheckSignatureFrom(a.Certificate()); err != nil {
			t.Error(err)
		}
		if len(crl.RevokedCertificateEntries) > 0 || now.Before(crl.ThisUpdate) || !now.Before(crl.NextUpdate.Add(-day)) {
			t.Errorf("at %v: %+v", now, crl)
		}
		return crl
	}
	first := read()
	now = now.Add(crlRefresh - time.Second)
	if again := read(); again.Number.Cmp(first.Number) != 0 {
		t.Error("signed again before it had to be")
	}
	for range 30 {
		now = now.Add(crlRefresh)
		next := read()
		if next.Number.Cmp(first.Number) <= 0 {
			t.Errorf("number %v after %v", next.Number, first.Number)
		}
		first = next
	}
	now = testNow // a clock set back
	read()

	p := newPKI(t)
	mute := issue(t, nil, ecKey(t), asCA("Mute"), func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageCertSign })
	b, err := newAuthority([]*x509.Certificate{mute.cert}, mute.key, testNow)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := NewRevocationList(b, nil); err == nil {
		t.Error("an authority that may not sign lists signs one")
	}

	f := testForger(t, func(cfg *ForgerConfig) { cfg.CRL = "http://192.0.2.1/x.crl" })
	for _, trusted := range []bool{true, false} {
		leaf := forge(t, f, p.chain(p.leaf(t)), testHost, trusted, true).Leaf
		if got := len(leaf.CRLDistributionPoints); (got == 1) != trusted || trusted && leaf.CRLDistributionPoints[0] != "http://192.0.2.1/x.crl" {
			t.Errorf("trusted %v: distribution points %q", trusted, leaf.CRLDistributionPoints)
		}
	}
}
