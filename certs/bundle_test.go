package certs

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/clearspan/clearspan/hack/needs"
)

// files writes files into a new directory and returns how to name them.
func files(t testing.TB, contents map[string][]byte) func(...string) []string {
	t.Helper()
	dir := t.TempDir()
	for name, data := range contents {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return func(names ...string) (paths []string) {
		for _, name := range names {
			paths = append(paths, filepath.Join(dir, name))
		}
		return paths
	}
}

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

func TestReadBundle(t *testing.T) {
	cheapScrypt(t)
	p := newPKI(t)
	rsaCA := issue(t, nil, rsaKey(t, 2048), asCA("RSA CA"))
	other := issue(t, nil, ecKey(t), asCA("Other"))
	clear := keyPEM(t, "PRIVATE KEY", p.inter.key)
	encrypted, err := encryptFile(clear, words("secret"))
	if err != nil {
		t.Fatal(err)
	}
	in := files(t, map[string][]byte{
		"mitmproxy-ca.pem": join(keyPEM(t, "RSA PRIVATE KEY", rsaCA.key), certPEM(rsaCA)),
		"ca.crt":           certPEM(p.own), "ca.key": keyPEM(t, "EC PRIVATE KEY", p.own.key),
		"chain.pem": certPEM(p.root, p.inter), "inter.pem": certPEM(p.inter), "inter.key": clear, "inter.age": encrypted,
		"own.der": p.own.cert.Raw, "other.crt": certPEM(other), "other.key": keyPEM(t, "PRIVATE KEY", other.key),
		"locked.key": []byte("-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n"),
		"text":       []byte("hello"), "empty.pem": []byte("-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n"),
		"leaf.crt": certPEM(p.leaf(t)),
	})
	for _, row := range []struct {
		name  string
		files []string
		ask   Passphrase
		want  *node
		chain int // certificates
		tail  int // sent behind a leaf
	}{
		{"mitmproxy", in("mitmproxy-ca.pem"), nil, rsaCA, 1, 0},
		{"SSLsplit", in("ca.crt", "ca.key"), nil, p.own, 1, 0},
		{"key first", in("ca.key", "ca.crt"), nil, p.own, 1, 0},
		{"DER", in("own.der", "ca.key"), nil, p.own, 1, 0},
		{"same certificate twice", in("own.der", "ca.key", "ca.crt"), nil, p.own, 1, 0},
		{"intermediate below its root", in("inter.key", "chain.pem"), nil, p.inter, 2, 1},
		{"intermediate alone", in("inter.key", "inter.pem"), nil, p.inter, 1, 1},
		{"age", in("inter.age", "inter.pem"), words("secret"), p.inter, 1, 1},
	} {
		b, err := ReadBundle(row.files, row.ask)
		if err != nil {
			t.Errorf("%s: %v", row.name, err)
			continue
		}
		if !b.Certificate().Equal(row.want.cert) || len(b.chain) != row.chain || len(b.tail) != row.tail {
			t.Errorf("%s: %v, chain of %d, sends %d", row.name, b, len(b.chain), len(b.tail))
		}
	}
	for _, row := range []struct {
		name  string
		files []string
		want  string
	}{
		{"no files", nil, "want 1 to 8 files"},
		{"missing", in("absent"), "no such file"},
		{"no key", in("ca.crt"), "there is no private key"},
		{"no certificate", in("ca.key"), "there is no certificate"},
		{"two keys", in("ca.crt", "ca.key", "other.key"), "2 different private keys"},
		{"another's certificate", in("other.crt", "ca.key"), "no certificate belongs to the private key; there is one of CN=Other"},
		{"unrelated", in("ca.crt", "ca.key", "other.crt"), "CN=Other,O=Test PKI is not the issuer of that of CN=Inspection"},
		{"below", in("ca.crt", "ca.key", "leaf.crt"), "is not the issuer of"},
		{"encrypted PEM", in("ca.crt", "locked.key"), "openssl pkey"},
		{"age without passphrase", in("inter.age", "inter.pem"), "passphrase needed"},
		{"text", in("text"), "neither PEM nor PKCS #12"},
		{"other PEM", in("empty.pem"), "no certificate and no private key"},
	} {
		if _, err := ReadBundle(row.files, nil); err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: %v, want %q", row.name, err, row.want)
		}
	}
}

// PKCS #12 files are made by openssl, which is what people have.
func TestReadPKCS12(t *testing.T) {
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		needs.Missing(t, err)
	}
	p := newPKI(t)
	in := files(t, map[string][]byte{"key.pem": keyPEM(t, "PRIVATE KEY", p.inter.key), "inter.pem": certPEM(p.inter), "root.pem": certPEM(p.root)})
	dir := filepath.Dir(in("key.pem")[0])
	for name, args := range map[string][]string{
		"modern.p12": {"-inkey", "key.pem", "-in", "inter.pem", "-certfile", "root.pem", "-passout", "pass:secret"},
		"legacy.p12": {"-inkey", "key.pem", "-in", "inter.pem", "-legacy", "-passout", "pass:secret"},
		"open.p12":   {"-inkey", "key.pem", "-in", "inter.pem", "-passout", "pass:"},
		"nokey.p12":  {"-nokeys", "-in", "inter.pem", "-passout", "pass:secret"},
	} {
		if out, err := run(openssl, dir, append([]string{"pkcs12", "-export", "-out", name}, args...)...); err != nil {
			t.Fatalf("openssl pkcs12: %v\n%s", err, out)
		}
	}
	for _, row := range []struct {
		name, file string
		ask        Passphrase
		chain      int
		err        string
	}{
		{"with chain", "modern.p12", words("secret"), 2, ""},
		{"legacy ciphers", "legacy.p12", words("secret"), 1, ""},
		{"empty password", "open.p12", func() (string, error) { return "", errors.New("was asked") }, 1, ""},
		{"wrong password", "modern.p12", words("wrong"), 0, "is wrong"},
		{"no password", "modern.p12", nil, 0, "has a password"},
		{"no key", "nokey.p12", words("secret"), 0, "no private key"},
	} {
		// As authority.certificate and authority.key, and by ca import.
		file := in(row.file)[0]
		if a, err := LoadEncrypted(file, file, row.ask); (err == nil) != (row.err == "") || err == nil && len(a.chain) != row.chain {
			t.Errorf("load, %s: %v, %v", row.name, a, err)
		}
		if encrypted, err := Encrypted(file); encrypted != (row.file != "open.p12") || err != nil {
			t.Errorf("%s: encrypted %v, %v", row.file, encrypted, err)
		}
		b, err := ReadBundle(in(row.file), row.ask)
		switch {
		case row.err != "":
			if err == nil || !strings.Contains(err.Error(), row.err) {
				t.Errorf("%s: %v", row.name, err)
			}
		case err != nil:
			t.Errorf("%s: %v", row.name, err)
		case !b.Certificate().Equal(p.inter.cert) || len(b.chain) != row.chain:
			t.Errorf("%s: %v, chain of %d", row.name, b, len(b.chain))
		}
	}
}

func TestKnownKeysAreRefused(t *testing.T) {
	var err error
	s := newHTTPTestCertificate()
	if err = checkNotLeaked(s.PublicKey); err == nil || !strings.Contains(err.Error(), "httptest") {
		t.Errorf("httptest's key: %v", err)
	}
	if err := checkNotLeaked(testAuthority(t, "").key.Public()); err != nil {
		t.Error(err)
	}
	if err := checkAuthorityKey(s.PublicKey); err == nil {
		t.Error("an authority with httptest's key is accepted")
	}
}

func FuzzReadBundle(f *testing.F) {
	p := newPKI(f)
	f.Add(join(keyPEM(f, "EC PRIVATE KEY", p.own.key), certPEM(p.own)))
	f.Add(p.own.cert.Raw)
	f.Add([]byte("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"))
	f.Add([]byte{0x30, 0x80, 2, 1, 3})
	f.Fuzz(func(t *testing.T, data []byte) {
		if isAgeFile(data) {
			t.Skip("FuzzUnseal's")
		}
		var c bundleContents
		if err := c.add(data, nil); err != nil {
			return
		}
		if b, err := c.bundle(testNow); err == nil && !samePublicKey(b.Certificate().PublicKey, b.Authority.key.Public()) {
			t.Error("certificate of another key")
		}
	})
}
