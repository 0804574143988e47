package e2e

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/clearspan/clearspan/hack/lab"
	"github.com/clearspan/clearspan/hack/scenetest"
)

// chromium loads a page in the client's namespace with a fresh profile that
// trusts the authorities of a PEM file, if there is one, and returns the document.
func (c *scene) chromium(ca, url string) (string, error) {
	c.Helper()
	home := c.TempDir()
	db := filepath.Join(home, ".pki", "nssdb")
	commands := [][]string{{"mkdir", "-p", db}, {"certutil", "-d", "sql:" + db, "-N", "--empty-password"}}
	if ca != "" {
		commands = append(commands, []string{"certutil", "-d", "sql:" + db, "-A", "-t", "C,,", "-n", "authority", "-i", ca})
	}
	for _, command := range commands {
		if r, err := lab.Run(c.Ctx, c.Client, "", command[0], command[1:]...); err != nil {
			c.Fatalf("%v: %v\n%s", command, err, r.Stderr)
		}
	}
	ctx, cancel := context.WithTimeout(c.Ctx, time.Minute)
	defer cancel()
	r, err := lab.Run(ctx, c.Client, "", "env", "HOME="+home, "chromium", "--headless", "--no-sandbox", "--disable-gpu",
		"--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
		"--disable-dev-shm-usage", "--user-data-dir="+filepath.Join(home, "profile"),
		"--host-resolver-rules=MAP * "+lab.OriginV4, "--dump-dom", url)
	return r.Stdout, err
}

// intermediate makes an enterprise's root and an intermediate below it that may
// sign leaves, and returns the PEM files of the root and of the intermediate with
// its key, in one.
func intermediate(t *testing.T, dir string) (root, bundle string) {
	t.Helper()
	var der [2][]byte
	var keys [2]*ecdsa.PrivateKey
	var parent *x509.Certificate
	for i, name := range []string{"Enterprise Root", "Enterprise Inspection"} {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		keys[i] = key
		template := &x509.Certificate{
			SerialNumber: big.NewInt(int64(i + 1)), Subject: pkix.Name{CommonName: name},
			NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: time.Now().Add(1000 * time.Hour),
			IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		}
		if parent == nil {
			parent = template
		}
		if der[i], err = x509.CreateCertificate(rand.Reader, template, parent, key.Public(), keys[0]); err != nil {
			t.Fatal(err)
		}
		if parent, err = x509.ParseCertificate(der[i]); err != nil {
			t.Fatal(err)
		}
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(keys[1])
	if err != nil {
		t.Fatal(err)
	}
	root, bundle = filepath.Join(dir, "root.pem"), filepath.Join(dir, "inspection.pem")
	c := scene{Scene: &scenetest.Scene{T: t}}
	c.Write(root, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der[0]}))
	c.Write(bundle, append(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}),
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der[1]})...))
	return root, bundle
}

// TestClientsAcceptLeaves has Chromium, curl and openssl judge what is forged
// under the authority made at the first start, and under an intermediate that was
// imported, of which clients know the root alone. Leaves name our revocation list.
func TestClientsAcceptLeaves(t *testing.T) {
	for _, imported := range []bool{false, true} {
		t.Run(fmt.Sprintf("imported=%v", imported), func(t *testing.T) {
			publish := lab.BoxLANV4 + ":8091"
			var root string
			c := newScene(t, settings{
				More: "authority: {publish: \"" + publish + "\"}\nleaf: {crl: true}",
				Prepare: prepared(func(c *scene) {
					if !imported {
						return
					}
					var bundle string
					root, bundle = intermediate(t, c.Directory("enterprise"))
					if _, stderr, code := clearspan(t, c.Dir, "ca", "import", "--state", filepath.Join(c.Dir, "state"), bundle); code != 0 {
						t.Fatalf("import: %s", stderr)
					}
				}),
			})
			if imported {
				c.CA = root
			}
			web := c.Nginx()
			c.Write(filepath.Join(web.Root, "page.html"), []byte("<!doctype html><title>t</title><body>the origin's page"))
			url := "https://" + webName + "/page.html"

			if document, err := c.chromium(c.CA, url); err != nil || !strings.Contains(document, "the origin's page") {
				t.Errorf("Chromium: %v, %.500s", err, document)
			}
			if document, _ := c.chromium("", url); strings.Contains(document, "the origin's page") {
				t.Error("Chromium does not need the authority")
			}
			if got := c.Curl(url); !strings.Contains(got, "the origin's page") {
				t.Errorf("curl: %.500s", got)
			}
			for _, sort := range []struct{ algorithms, signature string }{
				{"ecdsa_secp256r1_sha256:rsa_pss_rsae_sha256", "Peer signature type: ECDSA"},
				{"rsa_pss_rsae_sha256", "Peer signature type: RSA-PSS"},
			} {
				// The issuer's signature may be ECDSA where the leaf's key is RSA.
				r, err := lab.OpenSSL(c.Ctx, c.Client, "", "-connect", lab.OriginV4+":443", "-servername", webName,
					"-verify_hostname", webName, "-verify_return_error", "-CAfile", c.CA, "-sigalgs", sort.algorithms)
				if err != nil || !strings.Contains(r.Stdout, sort.signature) || !strings.Contains(r.Stdout, "Verify return code: 0 (ok)") {
					t.Errorf("openssl with %s: %v\n%.3000s", sort.algorithms, err, r.Stdout)
				}
			}
			if document, err := lab.Chromium(c.Ctx, c.Client, t.TempDir(), c.CA, "box.test", lab.BoxLANV4, "http://box.test:8091/"); err != nil || !strings.Contains(document, "clearspan-ca.cer") {
				t.Errorf("Chromium, the page of the authority: %v, %.500s", err, document)
			}
			c.checkList(publish)
			c.Stop()
		})
	}
}

// checkList fetches the revocation list that a leaf names and has openssl demand
// it.
func (c *scene) checkList(publish string) {
	c.Helper()
	sent, err := lab.OpenSSL(c.Ctx, c.Client, "", "-connect", lab.OriginV4+":443", "-servername", webName, "-showcerts")
	if err != nil {
		c.Fatal(err)
	}
	block, rest := pem.Decode([]byte(sent.Stdout))
	if block == nil {
		c.Fatalf("no certificate in %.500s", sent.Stdout)
	}
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil || len(leaf.CRLDistributionPoints) != 1 || !strings.HasPrefix(leaf.CRLDistributionPoints[0], "http://"+publish+"/") {
		c.Fatalf("leaf names %v, %v", leaf.CRLDistributionPoints, err)
	}
	dir := c.Directory("list")
	file := func(name string) string { return filepath.Join(dir, name) }
	c.Write(file("leaf.pem"), pem.EncodeToMemory(block))
	c.Write(file("sent.pem"), rest)
	if r, err := lab.Run(c.Ctx, c.Client, "", "curl", "-sfo", file("list.crl"), leaf.CRLDistributionPoints[0]); err != nil {
		c.Fatal(err, r.Stderr)
	}
	args := []string{"verify", "-crl_check", "-CAfile", c.CA, "-CRLfile", file("list.crl")}
	if next, _ := pem.Decode(rest); next != nil {
		args = append(args, "-untrusted", file("sent.pem"))
	}
	if r, err := lab.Run(c.Ctx, c.Client, "", "openssl", append(args, file("leaf.pem"))...); err != nil {
		c.Errorf("openssl, with the list: %v\n%s%s", err, r.Stdout, r.Stderr)
	}
}
