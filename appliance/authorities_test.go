package appliance

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
	_ "unsafe" // for go:linkname

	"github.com/clearspan/clearspan/appliance/authority"
	"github.com/clearspan/clearspan/certs"
	"github.com/clearspan/clearspan/hack/tempo"
)

const published = `state: state
intake: [{name: proxy, mode: explicit, listen: "127.0.0.1:0"}]
authority: {publish: "127.0.0.1:0", passphrase_file: %s}
leaf: {crl: "http://ca.example.test"}
mirror: []
admin: {listen: "127.0.0.1:0"}
`

// lines is a log that tests read while it is written.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// workFactor is that of package certs, whose tests lower it, too: a passphrase takes
// seconds with the race detector.
//
//go:linkname workFactor github.com/clearspan/clearspan/certs.workFactor
var workFactor int

// TestAuthorityLife runs an appliance whose key is encrypted through a rotation,
// which comes into force by its clock, and reads what it publishes.
func TestAuthorityLife(t *testing.T) {
	defer func(usual int) { workFactor = usual }(workFactor)
	workFactor = 4
	dir := t.TempDir()
	secret := filepath.Join(dir, "passphrase")
	if err := os.WriteFile(secret, []byte("correct horse\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg := parse(t, dir, fmt.Sprintf(published, secret))
	log := new(lines)
	a, err := New(cfg, "test", slog.New(slog.NewTextHandler(log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	startNew(t, a)
	d := authority.Directory(cfg, nil)
	if encrypted, err := certs.Encrypted(d.KeyFile()); !encrypted || err != nil {
		t.Errorf("new key encrypted: %v, %v", encrypted, err)
	}

	old := a.engine.Load().authorities.Trusted
	fetch := func(path string) (int, string) {
		r, err := http.Get("http://" + a.publish.Addr().String() + path)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Fatal(err)
		}
		return r.StatusCode, string(body)
	}
	defer http.DefaultClient.CloseIdleConnections()
	if status, text := fetch("/clearspan-ca.pem"); status != 200 || strings.Count(text, "BEGIN CERTIFICATE") != 1 {
		t.Errorf("status %d, %q", status, text)
	}
	_, der := fetch("/" + certs.CRLName(old))
	if list, err := x509.ParseRevocationList([]byte(der)); err != nil || list.CheckSignatureFrom(old.Certificate()) != nil {
		t.Errorf("revocation list: %v", err)
	}
	forged := func() *x509.Certificate {
		c, err := a.engine.Load().forger.Forge(t.Context(), nil, "www.example.com", true, true)
		if err != nil {
			t.Fatal(err)
		}
		return c.Leaf
	}
	if leaf := forged(); leaf.CheckSignatureFrom(old.Certificate()) != nil || leaf.CRLDistributionPoints[0] != "http://ca.example.test/"+certs.CRLName(old) {
		t.Errorf("leaf names %q", leaf.CRLDistributionPoints)
	}

	// Through the proxy, the page is reached by its name, and nothing else is.
	proxy := &http.Transport{Proxy: http.ProxyURL(&url.URL{Scheme: "http", Host: a.intakes.Addrs()[0].String()})}
	defer proxy.CloseIdleConnections()
	for target, want := range map[string]int{
		"http://clearspan.internal/":           200,
		"http://clearspan.internal/metrics":    404,
		"http://clearspan.internal:8090/livez": 403,
	} {
		r, err := (&http.Client{Transport: proxy}).Get(target)
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, r.Body)
		r.Body.Close()
		if r.StatusCode != want {
			t.Errorf("%s: %s, want %d", target, r.Status, want)
		}
	}

	next, err := d.Rotate(certs.CreateOptions{}, time.Now().Add(3*time.Second), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Reload(cfg); err != nil {
		t.Fatal(err)
	}
	tempo.Until(t, "both are published", func() bool {
		_, text := fetch("/clearspan-ca.pem")
		return strings.Count(text, "BEGIN CERTIFICATE") == 2
	})
	tempo.Until(t, "the successor signs", func() bool {
		return a.engine.Load().authorities.Trusted.Fingerprint() == next.Fingerprint()
	})
	tempo.Until(t, "the log says so", func() bool { return strings.Contains(log.String(), "authority rotated") })
	if leaf := forged(); leaf.CheckSignatureFrom(next.Certificate()) != nil {
		t.Error("the new leaf is not the successor's")
	}
	for _, name := range []string{certs.CRLName(old), certs.CRLName(next)} {
		if status, _ := fetch("/" + name); status != 200 {
			t.Errorf("%s: status %d", name, status)
		}
	}
	if own := a.engine.Load().authorities.Own; len(own) != 3 || !contains(own, old.Certificate()) {
		t.Errorf("%d own certificates", len(own))
	}
	for _, want := range []string{"authority created", "authority rotated", "predecessor=" + old.Fingerprint(), "fingerprint=" + next.Fingerprint()} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log lacks %q:\n%s", want, log)
		}
	}
	if strings.Contains(log.String(), "correct horse") {
		t.Error("the passphrase is in the log")
	}
}

func contains(list []*x509.Certificate, cert *x509.Certificate) bool {
	for _, c := range list {
		if c.Equal(cert) {
			return true
		}
	}
	return false
}

// TestRotatedAuthorityIsOwn: an origin that holds a leaf of an authority that was
// replaced is still recognised.
func TestRotatedAuthorityIsOwn(t *testing.T) {
	dir := t.TempDir()
	cfg := parse(t, dir, fmt.Sprintf(box, "192.0.2.1:443", "bump"))
	d := authority.Directory(cfg, nil)
	held, _, err := d.Open(time.Now(), &certs.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	forger, err := certs.NewForger(certs.ForgerConfig{Trusted: held.Signing})
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := forger.Forge(t.Context(), nil, "example.com", true, true)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Rotate(certs.CreateOptions{}, time.Now(), 0); err != nil {
		t.Fatal(err)
	}
	origin := httptest.NewUnstartedServer(nil)
	origin.TLS = &tls.Config{Certificates: []tls.Certificate{*leaf}}
	origin.StartTLS()
	defer origin.Close()
	a := start(t, parse(t, dir, fmt.Sprintf(box, origin.Listener.Addr(), "bump")))
	if a.engine.Load().authorities.Trusted.Fingerprint() == held.Signing.Fingerprint() {
		t.Fatal("the rotation was not carried out")
	}
	conn, err := tls.Dial("tcp", a.intakes.Addrs()[0].String(), &tls.Config{InsecureSkipVerify: true, ServerName: "example.com"})
	if err == nil {
		conn.Close()
		t.Fatal("an origin with a leaf of ours was let through")
	}
	file := filepath.Join(dir, "state", "sessions.jsonl")
	tempo.Until(t, "entry", func() bool {
		b, _ := os.ReadFile(file)
		return strings.Contains(string(b), `"verdict":"own-authority"`)
	})
}
