// Package tsatest is a time-stamping authority for tests: OpenSSL signs, behind HTTP.
package tsatest

import (
	"crypto/x509"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/clearspan/clearspan/hack/needs"
)

// Authority is one that answers at a URL until the test ends.
type Authority struct {
	URL  string
	Root string      // the file of its root, PEM
	Down atomic.Bool // it answers 503

	mu   sync.Mutex
	last []byte
}

const settings = `
[tsa]
default_tsa = own
[own]
serial = serial
crypto_device = builtin
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
accuracy = secs:1
ess_cert_id_alg = sha256
[req]
distinguished_name = name
[name]
[root]
basicConstraints = critical,CA:true
keyUsage = critical,keyCertSign
[signer]
basicConstraints = CA:false
keyUsage = critical,digitalSignature
extendedKeyUsage = critical,timeStamping
`

// New starts one, whose keys are its own.
func New(t testing.TB) *Authority {
	t.Helper()
	program := needs.Program(t, "openssl")
	dir := t.TempDir()
	run := func(args ...string) {
		t.Helper()
		cmd := exec.Command(program, args...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("openssl %v: %v\n%s", args, err, out)
		}
	}
	for name, text := range map[string]string{"tsa.cnf": settings, "serial": "01\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run("req", "-config", "tsa.cnf", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "root.key", "-out", "root.pem", "-subj", "/CN=Test time root", "-days", "30", "-extensions", "root")
	run("req", "-config", "tsa.cnf", "-newkey", "rsa:2048", "-nodes", "-keyout", "tsa.key", "-out", "tsa.csr", "-subj", "/CN=Test time stamps")
	run("x509", "-req", "-in", "tsa.csr", "-CA", "root.pem", "-CAkey", "root.key", "-CAcreateserial", "-out", "tsa.pem", "-days", "30", "-extfile", "tsa.cnf", "-extensions", "signer")
	a := &Authority{Root: filepath.Join(dir, "root.pem")}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		a.mu.Lock()
		defer a.mu.Unlock()
		question, err := io.ReadAll(io.LimitReader(q.Body, 1<<20))
		if err != nil || a.Down.Load() || q.Header.Get("Content-Type") != "application/timestamp-query" {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		os.WriteFile(filepath.Join(dir, "question"), question, 0o600)
		cmd := exec.Command(program, "ts", "-reply", "-config", "tsa.cnf", "-queryfile", "question", "-inkey", "tsa.key", "-signer", "tsa.pem")
		cmd.Dir = dir
		if a.last, err = cmd.Output(); err != nil {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/timestamp-reply")
		w.Write(a.last)
	}))
	t.Cleanup(s.Close)
	a.URL = s.URL
	return a
}

// Last returns the last answer.
func (a *Authority) Last() []byte {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.last
}

// Roots returns its root.
func (a *Authority) Roots(t testing.TB) *x509.CertPool {
	t.Helper()
	text, err := os.ReadFile(a.Root)
	if err != nil {
		t.Fatal(err)
	}
	p := x509.NewCertPool()
	p.AppendCertsFromPEM(text)
	return p
}
