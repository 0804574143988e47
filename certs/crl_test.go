package certs

import (
	"bytes"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// crlEdit changes the template of a list.
type crlEdit func(*x509.RevocationList)

// crlOf signs a list of serial numbers.
func crlOf(t testing.TB, issuer *node, serials []*big.Int, edits ...crlEdit) []byte {
	t.Helper()
	template := &x509.RevocationList{
		Number: big.NewInt(7), ThisUpdate: testNow.Add(-time.Hour), NextUpdate: testNow.Add(day),
	}
	for _, serial := range serials {
		template.RevokedCertificateEntries = append(template.RevokedCertificateEntries,
			x509.RevocationListEntry{SerialNumber: serial, RevocationTime: testNow.Add(-day)})
	}
	for _, e := range edits {
		e(template)
	}
	der, err := x509.CreateRevocationList(rand.Reader, template, issuer.cert, issuer.key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func crlExtension(critical bool, id asn1.ObjectIdentifier, value any) crlEdit {
	return func(l *x509.RevocationList) {
		octets, ok := value.([]byte)
		if !ok {
			var err error
			if octets, err = asn1.Marshal(value); err != nil {
				panic(err)
			}
		}
		l.ExtraExtensions = append(l.ExtraExtensions, pkix.Extension{Id: id, Critical: critical, Value: octets})
	}
}

// scoped is an issuing distribution point: [0] a URL, and flags.
func scoped(url string, flags ...byte) crlEdit {
	var b []byte
	if url != "" {
		name := append([]byte{0x86, byte(len(url))}, url...)
		full := append([]byte{0xa0, byte(len(name))}, name...)
		b = append([]byte{0xa0, byte(len(full))}, full...)
	}
	for _, flag := range flags {
		b = append(b, 0x80|flag, 1, 0xff)
	}
	return crlExtension(true, oidDistributionOnly, append([]byte{0x30, byte(len(b))}, b...))
}

func pointsTo(url string) edit {
	return func(c *x509.Certificate) { c.CRLDistributionPoints = append(c.CRLDistributionPoints, url) }
}

func asksAt(url string) edit {
	return func(c *x509.Certificate) { c.OCSPServer = append(c.OCSPServer, url) }
}

func TestCRL(t *testing.T) {
	const url = "http://crl.example.com/1.crl"
	p := newPKI(t)
	leaf := p.leaf(t, pointsTo(url))
	ours := []*big.Int{big.NewInt(3), leaf.cert.SerialNumber, big.NewInt(1 << 40)}
	others := []*big.Int{big.NewInt(3), big.NewInt(4)}
	noSign := issue(t, p.root, ecKey(t), asCA("No lists"), func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageCertSign })
	for _, row := range []struct {
		name    string
		serials []*big.Int
		edits   []crlEdit
		want    status
		says    string
	}{
		{"listed", ours, nil, statusRevoked, ""},
		{"not listed", others, nil, statusGood, ""},
		{"empty", nil, nil, statusGood, ""},
		{"out of date, not listed", others, []crlEdit{func(l *x509.RevocationList) { l.ThisUpdate, l.NextUpdate = testNow.Add(-2*day), testNow.Add(-day) }}, 0, "ran out"},
		{"out of date, listed", ours, []crlEdit{func(l *x509.RevocationList) { l.ThisUpdate, l.NextUpdate = testNow.Add(-2*day), testNow.Add(-day) }}, statusRevoked, ""},
		{"of the future", ours, []crlEdit{func(l *x509.RevocationList) { l.ThisUpdate = testNow.Add(time.Hour) }}, 0, "future"},
		{"unknown extension", others, []crlEdit{crlExtension(false, asn1.ObjectIdentifier{1, 3, 9999}, []byte{5, 0})}, statusGood, ""},
		{"unknown critical extension", ours, []crlEdit{crlExtension(true, asn1.ObjectIdentifier{1, 3, 9999}, []byte{5, 0})}, 0, "critical"},
		{"delta", ours, []crlEdit{crlExtension(true, oidDeltaCRL, 5)}, 0, "delta"},
		{"this point", others, []crlEdit{scoped(url)}, statusGood, ""},
		{"this point, listed", ours, []crlEdit{scoped(url, 1)}, statusRevoked, ""},
		{"another point", others, []crlEdit{scoped("http://crl.example.com/2.crl")}, 0, "another distribution point"},
		{"users only", others, []crlEdit{scoped("", 1)}, statusGood, ""},
		{"authorities only", others, []crlEdit{scoped("", 2)}, 0, "another kind"},
		{"some reasons", others, []crlEdit{crlExtension(true, oidDistributionOnly, []byte{0x30, 4, 0x83, 2, 1, 0x40})}, 0, "some reasons"},
		{"some reasons, listed", ours, []crlEdit{crlExtension(true, oidDistributionOnly, []byte{0x30, 4, 0x83, 2, 1, 0x40})}, statusRevoked, ""},
		{"indirect", ours, []crlEdit{scoped("", 4)}, 0, "indirect"},
		{"attributes", ours, []crlEdit{scoped("", 5)}, 0, "attribute"},
		{"broken scope", ours, []crlEdit{crlExtension(true, oidDistributionOnly, []byte{0x30, 9, 1})}, 0, "cannot be understood"},
		{"entry with a reason", ours, []crlEdit{func(l *x509.RevocationList) { l.RevokedCertificateEntries[1].ReasonCode = 6 }}, statusRevoked, ""},
		{"entry of another issuer", others, []crlEdit{func(l *x509.RevocationList) {
			l.RevokedCertificateEntries[0].ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 29}, Critical: true, Value: []byte{0x30, 0}}}
		}}, 0, "entries that cannot"},
	} {
		t.Run(row.name, func(t *testing.T) {
			list, err := ParseCRL(crlOf(t, p.inter, row.serials, row.edits...))
			var a answer
			if err == nil {
				if err = list.checkIssuer(p.inter.cert); err == nil {
					a, err = list.status(leaf.cert, testNow)
				}
			}
			if a.status != row.want || (err == nil) != (row.says == "") || err != nil && !strings.Contains(err.Error(), row.says) {
				t.Errorf("got %v, %v", a, err)
			}
		})
	}

	good := crlOf(t, p.inter, others)
	list, err := ParseCRL(good)
	if err != nil {
		t.Fatal(err)
	}
	twin := issue(t, nil, ecKey(t), asCA("Test Intermediate"))
	for name, issuer := range map[string]*x509.Certificate{"another name": p.root.cert, "another key": twin.cert} {
		if list.checkIssuer(issuer) == nil {
			t.Errorf("list of an issuer with %s counts", name)
		}
	}
	signed := &node{cert: noSign.cert, key: noSign.key}
	signed.cert.KeyUsage |= x509.KeyUsageCRLSign // for CreateRevocationList
	unentitled, err := ParseCRL(crlOf(t, signed, others))
	signed.cert.KeyUsage = x509.KeyUsageCertSign
	if err != nil || unentitled.checkIssuer(noSign.cert) == nil {
		t.Errorf("list of an issuer without cRLSign counts (%v)", err)
	}
	changed := bytes.Clone(good)
	changed[len(changed)-3] ^= 1
	if list, err := ParseCRL(changed); err == nil && list.checkIssuer(p.inter.cert) == nil {
		t.Error("signature is not verified")
	}
	rsaList, err := ParseCRL(crlOf(t, p.rsaRoot, ours))
	if err != nil || rsaList.checkIssuer(p.rsaRoot.cert) != nil {
		t.Errorf("RSA: %v, %v", err, rsaList.checkIssuer(p.rsaRoot.cert))
	}
	if _, err := ParseCRL(bytes.ReplaceAll(crlOf(t, p.rsaRoot, ours), rsaOID(11), rsaOID(5))); err == nil || !strings.Contains(err.Error(), "weak") {
		t.Errorf("SHA-1: %v", err)
	}
}

// Serial numbers of every length are found, and only those.
func TestCRLSerials(t *testing.T) {
	p := newPKI(t)
	var serials []*big.Int
	for n := range 160 {
		serials = append(serials, new(big.Int).Lsh(big.NewInt(1), uint(n)))
	}
	list, err := ParseCRL(crlOf(t, p.inter, serials))
	if err != nil {
		t.Fatal(err)
	}
	for _, serial := range serials {
		if !list.lists(serial) {
			t.Errorf("%v not found", serial)
		}
		if next := new(big.Int).Add(serial, big.NewInt(5)); list.lists(next) {
			t.Errorf("%v found", next)
		}
	}
}

func TestLoadCRLs(t *testing.T) {
	p := newPKI(t)
	dir := t.TempDir()
	der := crlOf(t, p.inter, nil)
	block := pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der})
	for name, row := range map[string]struct {
		data []byte
		want int // lists; -1: an error
	}{
		"der": {der, 1}, "pem": {block, 1}, "two": {append(bytes.Clone(block), block...), 2},
		"certificate beside it": {append(certPEM(p.root), block...), 1},
		"no list":               {certPEM(p.root), -1}, "garbage": {[]byte("x"), -1}, "empty": {nil, -1},
	} {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, row.data, 0o644); err != nil {
			t.Fatal(err)
		}
		lists, err := LoadCRLs([]string{file})
		if len(lists) != max(row.want, 0) || (err != nil) != (row.want < 0) {
			t.Errorf("%s: %d lists, %v", name, len(lists), err)
		}
		if err != nil && !strings.Contains(err.Error(), file) {
			t.Errorf("%s: the error names no file: %v", name, err)
		}
	}
	if _, err := LoadCRLs([]string{filepath.Join(dir, "missing")}); err == nil {
		t.Error("missing file is no error")
	}
}
