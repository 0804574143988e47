package tsa

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/clearspan/clearspan/hack/tsatest"
)

// TestToken: OpenSSL, as an authority, makes tokens that are verified with its certificate, and
// not with another one, for another hash, or when an octet of them is another one.
func TestToken(t *testing.T) {
	a := tsatest.New(t)
	hash := sha256.Sum256([]byte("the chain"))
	token, err := Request(t.Context(), a.URL, hash)
	if err != nil {
		t.Fatal(err)
	}
	at, err := Verify(token, hash, a.Roots(t))
	if err != nil || time.Since(at).Abs() > 10*time.Minute {
		t.Fatalf("%v, %v", at, err)
	}
	if _, err := Verify(token, hash, nil); err != nil {
		t.Errorf("without roots: %v", err)
	}
	if _, err := Verify(token, sha256.Sum256(nil), a.Roots(t)); err == nil || !strings.Contains(err.Error(), "something else") {
		t.Errorf("another hash: %v", err)
	}
	if _, err := Verify(token, hash, x509.NewCertPool()); err == nil {
		t.Error("verified without the root")
	}
	bad := 0
	for i := 0; i < len(token); i += 7 {
		changed := append([]byte(nil), token...)
		changed[i] ^= 1
		if at2, err := Verify(changed, hash, a.Roots(t)); err != nil || !at2.Equal(at) {
			bad++
		}
	}
	if bad < len(token)/7*8/10 { // some octets are in no signature, such as those of tags of BER
		t.Errorf("%d changes of %d are found", bad, len(token)/7)
	}
}

// TestNoToken: what an authority must not answer is no token.
func TestNoToken(t *testing.T) {
	a := tsatest.New(t)
	hash := sha256.Sum256(nil)
	old, err := Request(t.Context(), a.URL, hash)
	if err != nil {
		t.Fatal(err)
	}
	for name, answer := range map[string]http.HandlerFunc{
		"status":  func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) },
		"nothing": func(http.ResponseWriter, *http.Request) {},
		"large":   func(w http.ResponseWriter, _ *http.Request) { io.CopyN(w, zeros{}, 1<<20) },
		"other":   func(w http.ResponseWriter, _ *http.Request) { w.Write(old) },
		"again":   func(w http.ResponseWriter, _ *http.Request) { w.Write(a.Last()) },
		"away":    func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Location", a.URL); w.WriteHeader(307) },
	} {
		t.Run(name, func(t *testing.T) {
			s := httptest.NewServer(answer)
			defer s.Close()
			if _, err := Request(t.Context(), s.URL, hash); err == nil {
				t.Error("it is taken")
			}
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Request(ctx, a.URL, hash); err == nil {
		t.Error("no end with the context")
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// FuzzVerify: no octets have the reader of tokens panic.
func FuzzVerify(f *testing.F) {
	a := tsatest.New(f)
	if token, err := Request(f.Context(), a.URL, [32]byte{}); err == nil {
		f.Add(token)
	}
	f.Add([]byte{0x30, 0x80, 0, 0})
	f.Fuzz(func(_ *testing.T, token []byte) { Verify(token, [32]byte{}, x509.NewCertPool()) })
}
