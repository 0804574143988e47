package certs

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// store writes PEM files into a new directory.
type store struct{ dir, cert, key string }

func newStore(t testing.TB) store {
	dir := filepath.Join(t.TempDir(), "state", "authority")
	return store{dir, filepath.Join(dir, "ca.crt"), filepath.Join(dir, "ca.key")}
}

func (s store) write(t testing.TB, certPEM, keyPEM []byte, mode os.FileMode) {
	t.Helper()
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for file, data := range map[string][]byte{s.cert: certPEM, s.key: keyPEM} {
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(s.key, mode); err != nil {
		t.Fatal(err)
	}
}

func certPEM(nodes ...*node) []byte {
	var certs []*x509.Certificate
	for _, n := range nodes {
		certs = append(certs, n.cert)
	}
	return encodeCertificates(certs)
}

func keyPEM(t testing.TB, kind string, key crypto.Signer) []byte {
	t.Helper()
	var der []byte
	var err error
	switch kind {
	case "EC PRIVATE KEY":
		der, err = x509.MarshalECPrivateKey(key.(*ecdsa.PrivateKey))
	case "RSA PRIVATE KEY":
		der = x509.MarshalPKCS1PrivateKey(key.(*rsa.PrivateKey))
	default:
		der, err = x509.MarshalPKCS8PrivateKey(key)
	}
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func TestLoadOrCreate(t *testing.T) {
	for _, row := range []struct {
		name string
		opts CreateOptions
		algo x509.SignatureAlgorithm
		cn   string
	}{
		{"default", CreateOptions{}, x509.ECDSAWithSHA256, "clearspan inspection authority"},
		{"P-384", CreateOptions{Key: ECDSAP384, CommonName: "Example Inspection"}, x509.ECDSAWithSHA384, "Example Inspection"},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := newStore(t)
			a, created, err := LoadOrCreate(s.cert, s.key, row.opts)
			if err != nil || !created {
				t.Fatalf("created %v, %v", created, err)
			}
			for path, want := range map[string]os.FileMode{s.key: 0o600, s.cert: 0o644, s.dir: 0o700} {
				info, err := os.Stat(path)
				if err != nil || info.Mode().Perm() != want {
					t.Errorf("%s: mode %v, %v, want %o", path, info.Mode(), err, want)
				}
			}
			if entries, _ := os.ReadDir(s.dir); len(entries) != 2 {
				t.Errorf("%d files left, want 2", len(entries))
			}
			ca := a.Certificate()
			if !ca.IsCA || ca.MaxPathLen != 0 || !ca.MaxPathLenZero || ca.SignatureAlgorithm != row.algo ||
				ca.Subject.CommonName != row.cn || len(ca.SubjectKeyId) == 0 || ca.KeyUsage&x509.KeyUsageCertSign == 0 {
				t.Errorf("certificate %+v", ca)
			}
			again, created, err := LoadOrCreate(s.cert, s.key, CreateOptions{})
			if err != nil || created || again.Fingerprint() != a.Fingerprint() {
				t.Errorf("second call: created %v, %v", created, err)
			}
			if !bytes.Equal(a.PEM(), again.PEM()) || !strings.HasPrefix(string(a.PEM()), "-----BEGIN CERTIFICATE-----") {
				t.Errorf("PEM %s", a.PEM())
			}
		})
	}
}

func TestAuthoritiesDiffer(t *testing.T) {
	a, b := testAuthority(t, ""), testAuthority(t, "")
	if a.Fingerprint() == b.Fingerprint() || samePublicKey(a.key.Public(), b.key.Public()) {
		t.Error("two fresh authorities are the same")
	}
}

func TestCreateRefuses(t *testing.T) {
	for _, row := range []struct {
		name string
		opts CreateOptions
	}{
		{"unknown key type", CreateOptions{Key: "dsa-1024"}},
		{"long common name", CreateOptions{CommonName: strings.Repeat("n", 65)}},
		{"negative lifetime", CreateOptions{Lifetime: -time.Hour}},
	} {
		s := newStore(t)
		if _, _, err := LoadOrCreate(s.cert, s.key, row.opts); err == nil {
			t.Errorf("%s: accepted", row.name)
		}
		if entries, _ := os.ReadDir(s.dir); len(entries) != 0 {
			t.Errorf("%s: left %d files", row.name, len(entries))
		}
	}
	s := newStore(t)
	if _, _, err := LoadOrCreate(s.cert, s.cert, CreateOptions{}); err == nil {
		t.Error("one file for both accepted")
	}
}

func TestCreateLeavesHalvesAlone(t *testing.T) {
	for _, lost := range []string{"certificate", "key"} {
		s := newStore(t)
		if _, _, err := LoadOrCreate(s.cert, s.key, CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		gone, kept := s.cert, s.key
		if lost == "key" {
			gone, kept = s.key, s.cert
		}
		before, err := os.ReadFile(kept)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(gone); err != nil {
			t.Fatal(err)
		}
		_, _, err = LoadOrCreate(s.cert, s.key, CreateOptions{})
		if err == nil || !strings.Contains(err.Error(), gone) {
			t.Errorf("%s lost: got %v, want an error that names %s", lost, err, gone)
		}
		if after, _ := os.ReadFile(kept); !bytes.Equal(before, after) {
			t.Errorf("%s lost: the other half was overwritten", lost)
		}
	}
}

// A certificate that cannot be written must not leave its key behind.
func TestCreateWithdrawsKey(t *testing.T) {
	s := newStore(t)
	long := filepath.Join(s.dir, strings.Repeat("c", 250)) // no room for a temporary name
	if _, _, err := LoadOrCreate(long, s.key, CreateOptions{}); err == nil {
		t.Fatal("no error")
	}
	if entries, _ := os.ReadDir(s.dir); len(entries) != 0 {
		t.Errorf("left %v", entries)
	}
}

// TestCreateRace has processes and goroutines create one authority at once.
func TestCreateRace(t *testing.T) {
	const processes, goroutines = 3, 4
	create := func(s store) string {
		a, created, err := LoadOrCreate(s.cert, s.key, CreateOptions{})
		if err != nil {
			return "error: " + err.Error()
		}
		return fmt.Sprintf("%s %v", a.Fingerprint(), created)
	}
	if dir := os.Getenv("CERTS_RACE_DIR"); dir != "" {
		s := store{dir, filepath.Join(dir, "ca.crt"), filepath.Join(dir, "ca.key")}
		var wg sync.WaitGroup
		for range goroutines {
			wg.Go(func() { fmt.Println("race:", create(s)) })
		}
		wg.Wait()
		return
	}
	s := newStore(t)
	outputs := make([][]byte, processes)
	var wg sync.WaitGroup
	for i := range processes {
		wg.Go(func() {
			cmd := exec.Command(os.Args[0], "-test.run=^TestCreateRace$")
			cmd.Env = append(os.Environ(), "CERTS_RACE_DIR="+s.dir)
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Errorf("%v: %s", err, out)
			}
			outputs[i] = out
		})
	}
	wg.Wait()
	results, created := map[string]int{}, 0
	for line := range strings.Lines(string(bytes.Join(outputs, nil))) {
		if result, ok := strings.CutPrefix(line, "race: "); ok {
			fingerprint, made, _ := strings.Cut(strings.TrimSpace(result), " ")
			results[fingerprint]++
			if made == "true" {
				created++
			}
		}
	}
	if len(results) != 1 || created != 1 {
		t.Errorf("%d creators, results %v", created, results)
	}
	for _, n := range results {
		if n != processes*goroutines {
			t.Errorf("%d results, want %d", n, processes*goroutines)
		}
	}
}

func TestLoadAccepts(t *testing.T) {
	p := newPKI(t)
	rsaCA := issue(t, nil, rsaKey(t, 2048), asCA("RSA"))
	for _, row := range []struct {
		name      string
		cert, key []byte
		sent      int // certificates that follow a leaf
	}{
		{"PKCS #8", certPEM(p.root), keyPEM(t, "PRIVATE KEY", p.root.key), 0},
		{"SEC 1", certPEM(p.root), keyPEM(t, "EC PRIVATE KEY", p.root.key), 0},
		{"SEC 1 after its parameters", certPEM(p.root), append(pem.EncodeToMemory(&pem.Block{Type: "EC PARAMETERS", Bytes: []byte{6, 0}}), keyPEM(t, "EC PRIVATE KEY", p.root.key)...), 0},
		{"PKCS #1", certPEM(rsaCA), keyPEM(t, "RSA PRIVATE KEY", rsaCA.key), 0},
		{"RSA in PKCS #8", certPEM(rsaCA), keyPEM(t, "PRIVATE KEY", rsaCA.key), 0},
		{"intermediate", certPEM(p.inter), keyPEM(t, "PRIVATE KEY", p.inter.key), 1},
		{"intermediate with its root", certPEM(p.inter, p.root), keyPEM(t, "PRIVATE KEY", p.inter.key), 1},
		{"key and certificate in both", append(keyPEM(t, "PRIVATE KEY", p.root.key), certPEM(p.root)...), append(certPEM(p.root), keyPEM(t, "PRIVATE KEY", p.root.key)...), 0},
	} {
		s := newStore(t)
		s.write(t, row.cert, row.key, 0o600)
		a, err := Load(s.cert, s.key)
		if err != nil {
			t.Errorf("%s: %v", row.name, err)
			continue
		}
		f := testForger(t, func(cfg *ForgerConfig) { cfg.Trusted = a })
		if forged := forge(t, f, nil, testHost, true, true); len(forged.Certificate) != 1+row.sent {
			t.Errorf("%s: %d certificates follow the leaf, want %d", row.name, len(forged.Certificate)-1, row.sent)
		}
	}
}

func TestLoadRefuses(t *testing.T) {
	p := newPKI(t)
	good, goodKey := certPEM(p.root), keyPEM(t, "PRIVATE KEY", p.root.key)
	self := func(key crypto.Signer, edits ...edit) ([]byte, []byte) {
		n := issue(t, nil, key, append([]edit{asCA("Refused")}, edits...)...)
		return certPEM(n), keyPEM(t, "PRIVATE KEY", key)
	}
	damaged := bytes.Replace(goodKey, []byte("M"), []byte("N"), 1)
	encrypted := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Headers: map[string]string{"Proc-Type": "4,ENCRYPTED", "DEK-Info": "AES-128-CBC,00"}, Bytes: []byte{1}})
	var chain []*node
	for range maxIssuers + 1 {
		chain = append(chain, p.root)
	}
	for _, row := range []struct {
		name  string
		files func() (cert, key []byte)
		mode  os.FileMode
		names string // part of the store that the error names
		want  string // part of the error
	}{
		{"key readable by the group", func() ([]byte, []byte) { return good, goodKey }, 0o640, "ca.key", "0640"},
		{"key readable by all", func() ([]byte, []byte) { return good, goodKey }, 0o604, "ca.key", "0604"},
		{"key of another certificate", func() ([]byte, []byte) { return good, keyPEM(t, "PRIVATE KEY", ecKey(t)) }, 0, "ca.key", "does not belong"},
		{"root before the intermediate", func() ([]byte, []byte) {
			return certPEM(p.root, p.inter), keyPEM(t, "PRIVATE KEY", p.inter.key)
		}, 0, "ca.crt", "does not belong"},
		{"chain with a gap", func() ([]byte, []byte) {
			return certPEM(p.inter, p.rsaRoot), keyPEM(t, "PRIVATE KEY", p.inter.key)
		}, 0, "ca.crt", "not signed by"},
		{"chain too long", func() ([]byte, []byte) { return certPEM(chain...), goodKey }, 0, "ca.crt", "chain of 9"},
		{"leaf", func() ([]byte, []byte) {
			n := p.leaf(t)
			return certPEM(n), keyPEM(t, "PRIVATE KEY", n.key)
		}, 0, "ca.crt", "not a CA"},
		{"no certSign", func() ([]byte, []byte) {
			return self(ecKey(t), func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageCRLSign })
		}, 0, "ca.crt", "key usage"},
		{"for clients only", func() ([]byte, []byte) {
			return self(ecKey(t), func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} })
		}, 0, "ca.crt", "extended key usage"},
		{"expired", func() ([]byte, []byte) { return self(ecKey(t), valid(-9*day, -day)) }, 0, "ca.crt", "expired on"},
		{"not yet valid", func() ([]byte, []byte) { return self(ecKey(t), valid(day, 9*day)) }, 0, "ca.crt", "not valid before"},
		{"expired issuer", func() ([]byte, []byte) {
			root := issue(t, nil, ecKey(t), asCA("Old"), valid(-9*day, -day))
			n := issue(t, root, ecKey(t), asCA("Young"))
			return certPEM(n, root), keyPEM(t, "PRIVATE KEY", n.key)
		}, 0, "ca.crt", "expired on"},
		{"RSA 1024", func() ([]byte, []byte) { return self(rsaKey(t, 1024)) }, 0, "ca.crt", "1024 bits"},
		{"Ed25519", func() ([]byte, []byte) { return self(ed25519Key(t)) }, 0, "ca.crt", "want ECDSA or RSA"},
		{"no certificate", func() ([]byte, []byte) { return goodKey, goodKey }, 0, "ca.crt", "no certificate"},
		{"damaged certificate", func() ([]byte, []byte) {
			return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte{0x30, 0}}), goodKey
		}, 0, "ca.crt", "parse certificate 1"},
		{"empty key file", func() ([]byte, []byte) { return good, nil }, 0, "ca.key", "no private key"},
		{"damaged key", func() ([]byte, []byte) { return good, damaged }, 0, "ca.key", "damaged"},
		{"public key only", func() ([]byte, []byte) { return good, good }, 0, "ca.key", "no private key"},
		{"encrypted PKCS #1 key", func() ([]byte, []byte) { return good, encrypted }, 0, "ca.key", "encrypted"},
		{"encrypted PKCS #8 key", func() ([]byte, []byte) {
			return good, pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: []byte{1}})
		}, 0, "ca.key", "encrypted"},
		{"key file too long", func() ([]byte, []byte) { return good, bytes.Repeat([]byte("\n"), maxAuthorityFile+1) }, 0, "ca.key", "longer than"},
	} {
		t.Run(row.name, func(t *testing.T) {
			cert, key := row.files()
			if row.mode == 0 {
				row.mode = 0o600
			}
			s := newStore(t)
			s.write(t, cert, key, row.mode)
			_, err := Load(s.cert, s.key)
			if err == nil {
				t.Fatal("accepted")
			}
			if text := err.Error(); !strings.Contains(text, row.want) || !strings.Contains(text, filepath.Join(s.dir, row.names)) {
				t.Errorf("got %v, want %q and the path of %s", err, row.want, row.names)
			}
			wantNoKey(t, err.Error(), key)
			if _, created, err := LoadOrCreate(s.cert, s.key, CreateOptions{}); err == nil || created {
				t.Errorf("LoadOrCreate: created %v, %v", created, err)
			}
		})
	}
}

// wantNoKey fails if text holds a line of a PEM file, or its octets in
// hexadecimal.
func wantNoKey(t testing.TB, text string, key []byte) {
	t.Helper()
	for line := range strings.Lines(string(key)) {
		line = strings.TrimSpace(line)
		if len(line) < 16 || strings.HasPrefix(line, "-----") {
			continue
		}
		octets, _ := base64.StdEncoding.DecodeString(line)
		if strings.Contains(text, line) || len(octets) > 0 && strings.Contains(strings.ToLower(text), hex.EncodeToString(octets)) {
			t.Errorf("key material in %q", text)
		}
	}
}

func TestLoadMissing(t *testing.T) {
	s := newStore(t)
	if _, err := Load(s.cert, s.key); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), s.cert) {
		t.Errorf("got %v", err)
	}
	if _, err := Load(t.TempDir(), s.key); err == nil || !strings.Contains(err.Error(), "regular file") {
		t.Errorf("directory as certificate: %v", err)
	}
}

func TestAuthorityPrintsNoKey(t *testing.T) {
	a := testAuthority(t, "Printed")
	key := a.key.(*ecdsa.PrivateKey)
	secret, err := key.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	f := testForger(t, func(cfg *ForgerConfig) { cfg.Trusted = a })
	for _, text := range []string{
		fmt.Sprint(a), fmt.Sprintf("%+v", a), fmt.Sprintf("%#v", a), fmt.Sprintf("%x", a), fmt.Sprintf("%+v", f), string(a.PEM()),
	} {
		for _, form := range []string{hex.EncodeToString(secret), base64.StdEncoding.EncodeToString(secret), new(big.Int).SetBytes(secret).String(), fmt.Sprint(secret)} {
			if strings.Contains(strings.ToLower(text), strings.ToLower(form)) {
				t.Errorf("key material in %q", text)
			}
		}
	}
}

func TestLoadRoots(t *testing.T) {
	p := newPKI(t)
	dir := t.TempDir()
	write := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	one := write("one.pem", certPEM(p.root))
	two := write("two.pem", certPEM(p.rsaRoot, p.own))
	empty, missing := write("empty.pem", nil), filepath.Join(dir, "missing.pem")
	damaged := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte{1}})
	for _, row := range []struct {
		name    string
		files   []string
		want    []*node // nil for an error
		skipped int
	}{
		{"one file", []string{one}, []*node{p.root}, 0},
		{"two files", []string{one, two}, []*node{p.root, p.rsaRoot, p.own}, 0},
		{"system last", []string{one, SystemRoots}, []*node{p.root}, 0},
		{"system first", []string{SystemRoots, two}, []*node{p.rsaRoot, p.own}, 0},
		{"empty list", nil, nil, 0},
		{"missing file beside another", []string{one, missing}, []*node{p.root}, 1},
		{"missing file", []string{missing}, nil, 0},
		{"empty file", []string{empty}, nil, 0},
		{"empty file beside the system's", []string{empty, SystemRoots}, []*node{}, 1},
		{"file without a certificate", []string{write("text.pem", []byte("no roots here\n"))}, nil, 0},
		{"damaged certificate beside a good one", []string{write("bad.pem", append(certPEM(p.root), damaged...))}, []*node{p.root}, 1},
		{"two damaged certificates and a good one", []string{write("worse.pem", slices.Concat(damaged, certPEM(p.root), damaged)), empty}, []*node{p.root}, 3},
		{"damaged certificate", []string{write("worst.pem", damaged)}, nil, 0},
	} {
		pool, skipped, err := LoadRoots(row.files)
		if len(skipped) != row.skipped {
			t.Errorf("%s: skipped %v", row.name, skipped)
		}
		for _, err := range skipped {
			if !strings.Contains(err.Error(), dir) {
				t.Errorf("%s: error does not name the file: %v", row.name, err)
			}
		}
		if (err == nil) != (row.want != nil) {
			t.Errorf("%s: %v", row.name, err)
		}
		if err != nil && len(row.files) > 0 && !strings.Contains(err.Error(), row.files[len(row.files)-1]) {
			t.Errorf("%s: error does not name the file: %v", row.name, err)
		}
		for _, n := range row.want {
			if _, err := n.cert.Verify(x509.VerifyOptions{Roots: pool, CurrentTime: testNow, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}); err != nil {
				t.Errorf("%s: %s: %v", row.name, n.cert.Subject, err)
			}
		}
	}
}

func TestChainHash(t *testing.T) {
	p := newPKI(t)
	chain := p.chain(p.leaf(t))
	h := crypto.SHA256.New()
	h.Write(chain[0].Raw)
	h.Write(chain[1].Raw)
	if got, want := ChainHash(chain), hex.EncodeToString(h.Sum(nil)); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if ChainHash(chain) == ChainHash(chain[:1]) {
		t.Error("issuer does not count")
	}
}
