//go:build pkcs11

package certs

import (
	"bytes"
	"crypto/elliptic"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ThalesGroup/crypto11"

	"github.com/clearspan/clearspan/hack/needs"
)

const softHSM = "/usr/lib/softhsm/libsofthsm2.so"

// TestTokenForges has SoftHSM make the authority's key, and forges with it.
func TestTokenForges(t *testing.T) {
	util, err := exec.LookPath("softhsm2-util")
	if err != nil {
		needs.Missing(t, err)
	}
	dir := t.TempDir()
	store := filepath.Join(dir, "tokens")
	if err := os.Mkdir(store, 0o700); err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(dir, "softhsm2.conf")
	pin := filepath.Join(dir, "pin")
	for file, text := range map[string]string{
		config: "directories.tokendir = " + store + "\nobjectstore.backend = file\nlog.level = ERROR\n", pin: "1234\n",
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("SOFTHSM2_CONF", config)
	if out, err := run(util, dir, "--init-token", "--free", "--label", "clear span", "--so-pin", "12345678", "--pin", "1234"); err != nil {
		t.Fatalf("softhsm2-util: %v\n%s", err, out)
	}
	token, err := crypto11.Configure(&crypto11.Config{Path: softHSM, TokenLabel: "clear span", Pin: "1234"})
	if err != nil {
		t.Fatal(err)
	}
	defer token.Close()
	key, err := token.GenerateECDSAKeyPairWithLabel([]byte{1}, []byte("ca"), elliptic.P256())
	if err != nil {
		t.Fatal(err)
	}
	uri := fmt.Sprintf("pkcs11:token=clear%%20span;object=ca?module-path=%s&pin-source=file:%s", softHSM, pin)
	ski, err := keyID(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	inToken, err := openToken(uri)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "In a token"}, SubjectKeyId: ski,
		NotBefore: testNow.Add(-day), NotAfter: testNow.Add(100 * day), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	der, err := x509.CreateCertificate(nil, template, template, inToken.Public(), inToken)
	if err != nil {
		t.Fatal(err)
	}
	cert := filepath.Join(dir, "ca.crt")
	if err := os.WriteFile(cert, encodeCertificates([]*x509.Certificate{parse(t, der)}), 0o644); err != nil {
		t.Fatal(err)
	}
	a, err := Load(cert, uri)
	if err != nil {
		t.Fatal(err)
	}
	p := newPKI(t)
	f := testForger(t, func(cfg *ForgerConfig) { cfg.Trusted, cfg.Now = a, time.Now })
	leaf := forge(t, f, p.chain(p.leaf(t)), testHost, true, true).Leaf
	if err := leaf.CheckSignatureFrom(a.Certificate()); err != nil {
		t.Error(err)
	}
	if _, err := NewRevocationList(a, nil); err != nil {
		t.Error(err)
	}
	if _, err := x509.MarshalPKCS8PrivateKey(a.key); err == nil {
		t.Error("the key can be taken out of the token")
	}
	// The token does not give the key away either, asked in its own language.
	for attribute, want := range map[crypto11.AttributeType][]byte{crypto11.CkaSensitive: {1}, crypto11.CkaExtractable: {0}, crypto11.CkaNeverExtractable: {1}, crypto11.CkaValue: nil} {
		got, err := token.GetAttribute(key, attribute)
		if want == nil && err == nil || want != nil && (err != nil || !bytes.Equal(got.Value, want)) {
			t.Errorf("attribute %v is %v (%v), want %v", attribute, got, err, want)
		}
	}
	for name, bad := range map[string]string{
		"not found":    strings.Replace(uri, "object=ca", "object=cb", 1),
		"token":        strings.Replace(uri, "clear%20span", "other", 1),
		"no such file": strings.Replace(uri, "file:"+pin, "file:"+pin+"x", 1),
	} {
		if _, err := Load(cert, bad); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
