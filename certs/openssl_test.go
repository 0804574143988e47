package certs

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/clearspan/clearspan/hack/needs"
)

// A second opinion on forged leaves.
func TestOpenSSLVerifiesForgedLeaves(t *testing.T) {
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		needs.Missing(t, err)
	}
	p := newPKI(t)
	f := testForger(t, nil)
	inter, err := newAuthority([]*x509.Certificate{p.inter.cert}, p.inter.key, testNow)
	if err != nil {
		t.Fatal(err)
	}
	below := testForger(t, func(cfg *ForgerConfig) { cfg.Trusted = inter })
	for _, row := range []struct {
		name    string
		forger  *Forger
		roots   []byte
		edits   []edit
		trusted bool
		ecdsa   bool
		check   string
		want    bool
	}{
		{"P-256", f, f.trusted.PEM(), nil, true, true, testHost, true},
		{"RSA", f, f.trusted.PEM(), nil, true, false, testHost, true},
		{"another name", f, f.trusted.PEM(), nil, true, true, "other.example.com", false},
		{"empty subject", f, f.trusted.PEM(), []edit{subject(pkix.Name{})}, true, true, testHost, true},
		{"subject of the authority", f, f.trusted.PEM(), []edit{subject(pkix.Name{CommonName: "Test Inspection"})}, true, true, testHost, true},
		{"long common name", f, f.trusted.PEM(), []edit{subject(pkix.Name{CommonName: strings.Repeat("n", 65), Country: []string{"SE"}})}, true, true, testHost, true},
		{"authority below a root", below, certPEM(p.root), nil, true, true, testHost, true},
		{"untrusted", f, f.trusted.PEM(), nil, false, true, testHost, false},
		{"expired", f, f.untrusted.PEM(), []edit{valid(-9*day, -8*day)}, false, true, testHost, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			forged := forge(t, row.forger, p.chain(p.leaf(t, row.edits...)), testHost, row.trusted, row.ecdsa)
			dir := t.TempDir()
			files := map[string][]byte{"roots.pem": row.roots, "leaf.pem": certPEM(&node{cert: forged.Leaf}), "sent.pem": {}}
			for _, der := range forged.Certificate[1:] {
				files["sent.pem"] = append(files["sent.pem"], certPEM(&node{cert: parse(t, der)})...)
			}
			for name, data := range files {
				if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			args := []string{"verify", "-x509_strict", "-purpose", "sslserver", "-no-CAfile", "-no-CApath", "-CAfile", "roots.pem", "-verify_hostname", row.check}
			if len(forged.Certificate) > 1 {
				args = append(args, "-untrusted", "sent.pem")
			}
			out, err := run(openssl, dir, append(args, "leaf.pem")...)
			if (err == nil) != row.want {
				t.Errorf("openssl verify: %v\n%s", err, out)
			}
			out, err = run(openssl, dir, "x509", "-in", "leaf.pem", "-noout", "-text")
			if err != nil {
				t.Fatalf("openssl x509: %v\n%s", err, out)
			}
			for _, want := range []string{"Version: 3 (0x2)", "TLS Web Server Authentication", "CA:FALSE", "DNS:" + testHost, "ecdsa-with-SHA256"} {
				if !strings.Contains(out, want) {
					t.Errorf("openssl x509 shows no %q:\n%s", want, out)
				}
			}
		})
	}
}

func run(program, dir string, args ...string) (string, error) {
	cmd := exec.Command(program, args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	return string(out), err
}
