//go:build pkcs11

package certs

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const softHSM = "/usr/lib/softhsm/libsofthsm2.so"

// TestTokenForges has SoftHSM make the authority's key, and forges with it.
func TestTokenForges(t *testing.T) {
	util, err := exec.LookPath("softhsm2-util")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	dir := t.TempDir()
	store := filepath.Join(dir, "tokens")
	if err := os.Mkdir(store, 0o700); err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(dir, "softhsm2.conf")
	pin := filepath.Join(dir, "pin")
	keyFile := filepath.Join(dir, "key.pem")
	key := ecKey(t)
	for file, text := range map[string]string{
		config: "directories.tokendir = " + store + "\nobjectstore.backend = file\nlog.level = ERROR\n", pin: "1234\n",
		keyFile: string(keyPEM(t, "PRIVATE KEY", key)),
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("SOFTHSM2_CONF", config)
	for _, args := range [][]string{
		{"--init-token", "--free", "--label", "clear span", "--so-pin", "12345678", "--pin", "1234"},
		{"--import", keyFile, "--token", "clear span", "--label", "ca", "--id", "01", "--pin", "1234"},
	} {
		if out, err := run(util, dir, args...); err != nil {
			t.Fatalf("softhsm2-util: %v\n%s", err, out)
		}
	}
	if err := os.Remove(keyFile); err != nil {
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
	// Nor does it lie about in a file in clear.
	secret := pemBody(keyPEM(t, "PRIVATE KEY", key))
	filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			if data, err := os.ReadFile(path); err != nil || bytes.Contains(data, secret) {
				t.Errorf("key in %s, %v", path, err)
			}
		}
		return nil
	})
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

// pemBody returns the first line within a PEM block.
func pemBody(text []byte) []byte { return bytes.Split(text, []byte("\n"))[1] }
