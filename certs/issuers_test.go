package certs

import (
	"bytes"
	"crypto/x509"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/clearspan/clearspan/certs/fetch"
	"github.com/clearspan/clearspan/hack/needs"
)

// issuerFiles serves files by their paths, and counts.
type issuerFiles struct {
	url string

	mu    sync.Mutex
	files map[string][]byte
	asked map[string]int
}

func serveIssuers(t testing.TB) *issuerFiles {
	f := &issuerFiles{files: make(map[string][]byte), asked: make(map[string]int)}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.asked[r.URL.Path]++
		if file, ok := f.files[r.URL.Path]; ok {
			w.Write(file)
		} else {
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(s.Close)
	f.url = s.URL
	return f
}

func (f *issuerFiles) put(path string, file []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.files[path] = file
}

func (f *issuerFiles) count() (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, each := range f.asked {
		n += each
	}
	return n
}

// at has a certificate say where its issuer's is.
func (f *issuerFiles) at(paths ...string) edit {
	return func(c *x509.Certificate) {
		for _, path := range paths {
			c.IssuingCertificateURL = append(c.IssuingCertificateURL, f.url+path)
		}
	}
}

// completing is a judge that fetches from this machine.
func (p *pki) completing() *Judge {
	return NewJudge(JudgeConfig{
		Roots: p.roots, Own: []*x509.Certificate{p.own.cert}, Now: func() time.Time { return testNow },
		Issuers: IssuersConfig{Timeout: 30 * time.Second, Fetcher: fetch.New(fetch.Config{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})},
	})
}

// pkcs7 has OpenSSL make a message of certificates.
func pkcs7(t *testing.T, form string, certs ...*node) []byte {
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		needs.Missing(t, err)
	}
	file := filepath.Join(t.TempDir(), "certs.pem")
	var all []byte
	for _, c := range certs {
		all = append(all, certPEM(c)...)
	}
	if err := os.WriteFile(file, all, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(openssl, "crl2pkcs7", "-nocrl", "-certfile", file, "-outform", form).Output()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestMissingIntermediates has origins that leave out intermediates.
func TestMissingIntermediates(t *testing.T) {
	type world struct {
		*testing.T
		*pki
		*issuerFiles
	}
	for _, tt := range []struct {
		name    string
		present func(w world) []*x509.Certificate
		want    Reason
		fetched int
		asked   int
	}{
		{"DER", func(w world) []*x509.Certificate {
			w.put("/i", w.inter.cert.Raw)
			return []*x509.Certificate{w.leaf(w, w.at("/i")).cert}
		}, "", 1, 1},
		{"PEM of several", func(w world) []*x509.Certificate {
			w.put("/i", append(certPEM(w.rsaRoot), certPEM(w.inter)...))
			return []*x509.Certificate{w.leaf(w, w.at("/i")).cert}
		}, "", 1, 1},
		{"PKCS #7", func(w world) []*x509.Certificate {
			w.put("/i", pkcs7(w.T, "DER", w.rsaRoot, w.inter))
			return []*x509.Certificate{w.leaf(w, w.at("/i")).cert}
		}, "", 1, 1},
		{"PKCS #7 in PEM", func(w world) []*x509.Certificate {
			w.put("/i", pkcs7(w.T, "PEM", w.inter))
			return []*x509.Certificate{w.leaf(w, w.at("/i")).cert}
		}, "", 1, 1},
		{"the second address", func(w world) []*x509.Certificate {
			w.put("/i", w.inter.cert.Raw)
			return []*x509.Certificate{w.leaf(w, w.at("/gone", "/i")).cert}
		}, "", 1, 2},
		{"two are missing", func(w world) []*x509.Certificate {
			low := issue(w, w.inter, ecKey(w), asCA("Low"), w.at("/inter"))
			w.put("/inter", w.inter.cert.Raw)
			w.put("/low", low.cert.Raw)
			return []*x509.Certificate{issue(w, low, ecKey(w), asLeaf(testHost), w.at("/low")).cert}
		}, "", 2, 2},
		{"nothing is missing", func(w world) []*x509.Certificate { return w.chain(w.leaf(w, w.at("/i"))) }, "", 0, 0},
		{"another issuer's", func(w world) []*x509.Certificate {
			w.put("/i", issue(w, w.root, ecKey(w), asCA("Test Intermediate")).cert.Raw)
			return []*x509.Certificate{w.leaf(w, w.at("/i")).cert}
		}, UnknownIssuer, 0, 1},
		{"not there", func(w world) []*x509.Certificate { return []*x509.Certificate{w.leaf(w, w.at("/i")).cert} }, UnknownIssuer, 0, 1},
		{"no address", func(w world) []*x509.Certificate { return []*x509.Certificate{w.leaf(w).cert} }, UnknownIssuer, 0, 0},
		{"another scheme", func(w world) []*x509.Certificate {
			return []*x509.Certificate{w.leaf(w, func(c *x509.Certificate) {
				c.IssuingCertificateURL = []string{"https://127.0.0.1/i", "ldap://127.0.0.1/i"}
			}).cert}
		}, UnknownIssuer, 0, 0},
		{"too long", func(w world) []*x509.Certificate {
			w.put("/i", append(certPEM(w.inter), bytes.Repeat([]byte{'\n'}, maxIssuerFile)...))
			return []*x509.Certificate{w.leaf(w, w.at("/i")).cert}
		}, UnknownIssuer, 0, 1},
		{"a root that nobody trusts", func(w world) []*x509.Certificate {
			root := issue(w, nil, ecKey(w), asCA("Stranger"), w.at("/r"))
			w.put("/r", root.cert.Raw)
			return []*x509.Certificate{issue(w, root, ecKey(w), asLeaf(testHost), w.at("/r")).cert}
		}, UnknownIssuer, 0, 1},
		{"endless", func(w world) []*x509.Certificate {
			above := issue(w, nil, ecKey(w), asCA("Stranger 0"))
			for n := 1; n <= maxFetched+2; n++ {
				path := fmt.Sprint("/", n-1)
				w.put(path, above.cert.Raw)
				above = issue(w, above, ecKey(w), asCA(fmt.Sprint("Stranger ", n)), w.at(path))
			}
			w.put("/top", above.cert.Raw)
			return []*x509.Certificate{issue(w, above, ecKey(w), asLeaf(testHost), w.at("/top")).cert}
		}, UnknownIssuer, 0, maxFetched},
		{"expired", func(w world) []*x509.Certificate {
			w.put("/i", w.inter.cert.Raw)
			return []*x509.Certificate{w.leaf(w, w.at("/i"), valid(-9*day, -8*day)).cert}
		}, Expired, 1, 1},
		{"another name", func(w world) []*x509.Certificate {
			w.put("/i", w.inter.cert.Raw)
			return []*x509.Certificate{issue(w, w.inter, ecKey(w), asLeaf("other.example.com"), w.at("/i")).cert}
		}, NameMismatch, 1, 1},
		{"our own authority", func(w world) []*x509.Certificate {
			w.put("/own", w.own.cert.Raw)
			w.roots.AddCert(w.own.cert)
			low := issue(w, w.own, ecKey(w), asCA("Low"), w.at("/own"))
			w.put("/low", low.cert.Raw)
			return []*x509.Certificate{issue(w, low, ecKey(w), asLeaf(testHost), w.at("/low")).cert}
		}, OwnAuthority, 1, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := world{t, newPKI(t), serveIssuers(t)}
			chain := tt.present(w)
			j := w.completing()
			var wg sync.WaitGroup
			for n := range 8 { // at once, and each name has a judgement of its own
				wg.Go(func() {
					_, fetched, err := j.Assess(t.Context(), testHost, presenting(chain...))
					if n%2 == 1 {
						j.Assess(t.Context(), fmt.Sprint(n, ".example.com"), presenting(chain...))
					}
					if got := ReasonOf(err); got != tt.want || fetched != tt.fetched {
						t.Errorf("%q with %d fetched, want %q, %d: %v", got, fetched, tt.want, tt.fetched, err)
					}
				})
			}
			wg.Wait()
			if got := w.count(); got != tt.asked {
				t.Errorf("%d requests for %v, want %d", got, w.asked, tt.asked)
			}
		})
	}
}

// Addresses that are not public are not asked, and nobody is where it is switched off.
func TestIssuersNotFetched(t *testing.T) {
	p, files := newPKI(t), serveIssuers(t)
	files.put("/i", p.inter.cert.Raw)
	chain := []*x509.Certificate{p.leaf(t, files.at("/i")).cert}
	guarded := NewJudge(JudgeConfig{Roots: p.roots, Now: func() time.Time { return testNow }, Issuers: IssuersConfig{Fetcher: fetch.New(fetch.Config{})}})
	for name, j := range map[string]*Judge{"guarded": guarded, "off": p.judge()} {
		if err := j.Verify(t.Context(), testHost, presenting(chain...)); ReasonOf(err) != UnknownIssuer {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := files.count(); n != 0 {
		t.Errorf("%d requests", n)
	}
}

func FuzzParseIssuers(f *testing.F) {
	p := newPKI(f)
	f.Add(p.inter.cert.Raw)
	f.Add(append(certPEM(p.inter), certPEM(p.root)...))
	f.Add([]byte("-----BEGIN PKCS7-----\nMAA=\n-----END PKCS7-----\n"))
	f.Fuzz(func(t *testing.T, file []byte) {
		if certs, err := parseIssuers(file); err == nil && (len(certs) == 0 || len(certs) > maxIssuerCerts) {
			t.Errorf("%d certificates", len(certs))
		}
	})
}
