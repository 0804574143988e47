package certs

import (
	"compress/gzip"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"
)

// limboCase is a test case of C2SP/x509-limbo.
type limboCase struct {
	ID             string   `json:"id"`
	Kind           string   `json:"validation_kind"`
	Roots          []string `json:"trusted_certs"`
	Intermediates  []string `json:"untrusted_intermediates"`
	Leaf           string   `json:"peer_certificate"`
	Key            string   `json:"peer_certificate_key"`
	ValidationTime string   `json:"validation_time"`
	Expected       string   `json:"expected_result"`
	PeerName       *struct {
		Value string `json:"value"`
	} `json:"expected_peer_name"`
	MaxDepth *int     `json:"max_chain_depth"`
	CRLs     []string `json:"crls"`
}

func (c *limboCase) good() bool { return c.Expected == "SUCCESS" }

// limboSuite is the whole suite, read once.
var limboSuite = sync.OnceValues(func() ([]*limboCase, error) {
	f, err := os.Open("testdata/x509-limbo.json.gz")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	plain, err := gzip.NewReader(f)
	if err != nil {
		return nil, err
	}
	var suite struct{ Testcases []*limboCase }
	err = json.NewDecoder(plain).Decode(&suite)
	return suite.Testcases, err
})

// limboCases returns the cases that are about servers. The others test what a
// server demands of its clients.
func limboCases(t testing.TB) []*limboCase {
	t.Helper()
	suite, err := limboSuite()
	if err != nil {
		t.Fatal(err)
	}
	var cases []*limboCase
	for _, c := range suite {
		if c.Kind == "SERVER" {
			cases = append(cases, c)
		}
	}
	if len(suite) != 208 || len(cases) != 198 {
		t.Fatalf("%d cases, %d of servers: another suite", len(suite), len(cases))
	}
	return cases
}

// der returns the DER of a PEM block, whether or not it can be parsed.
func der(t testing.TB, text string) []byte {
	t.Helper()
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		t.Fatalf("no PEM block: %.80s", text)
	}
	return block.Bytes
}

// presented is the chain as it would be on the wire.
func (c *limboCase) presented(t testing.TB) [][]byte {
	chain := [][]byte{der(t, c.Leaf)}
	for _, text := range c.Intermediates {
		chain = append(chain, der(t, text))
	}
	return chain
}

func (c *limboCase) now(t testing.TB) time.Time {
	if c.ValidationTime == "" {
		return time.Now()
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05"} {
		if at, err := time.Parse(layout, c.ValidationTime); err == nil {
			return at
		}
	}
	t.Fatalf("%s: time %q", c.ID, c.ValidationTime)
	return time.Time{}
}

func (c *limboCase) name() string {
	if c.PeerName == nil {
		return ""
	}
	return c.PeerName.Value
}

// judge returns a judge that trusts what the case trusts. A root that cannot be
// parsed is not loaded, as LoadRoots would refuse it.
func (c *limboCase) judge(t testing.TB, own ...*x509.Certificate) *Judge {
	cfg := JudgeConfig{Roots: x509.NewCertPool(), Own: own, Now: func() time.Time { return c.now(t) }}
	for _, text := range c.Roots {
		if root, err := x509.ParseCertificate(der(t, text)); err == nil {
			cfg.Roots.AddCert(obeyed(root))
		}
	}
	if len(c.CRLs) > 0 {
		cfg.Revocation.Mode = RevocationHard
		for _, text := range c.CRLs {
			if list, err := ParseCRL(der(t, text)); err == nil {
				cfg.Revocation.CRLs = append(cfg.Revocation.CRLs, list)
			}
		}
	}
	return NewJudge(cfg)
}

// verify judges as the engine does: certificates that cannot be parsed end the
// handshake.
func (c *limboCase) verify(t testing.TB) error {
	state := &tls.ConnectionState{Version: tls.VersionTLS13}
	for _, octets := range c.presented(t) {
		cert, err := x509.ParseCertificate(octets)
		if err != nil {
			return fmt.Errorf("tls: failed to parse certificate from server: %w", err)
		}
		state.PeerCertificates = append(state.PeerCertificates, cert)
	}
	return c.judge(t).Verify(t.Context(), c.name(), state)
}

func TestLimbo(t *testing.T) {
	listed := 0
	for _, c := range limboCases(t) {
		why, skip := limboDeviations[c.ID]
		if skip {
			listed++
		}
		err := c.verify(t)
		if err != nil && ReasonOf(err) == "" {
			t.Errorf("%s: refused without a reason: %v", c.ID, err)
		}
		switch deviates := (err == nil) != c.good(); {
		case deviates && !skip:
			t.Errorf("%s: want %s, got %v", c.ID, c.Expected, err)
		case !deviates && skip:
			t.Errorf("%s is listed (%s), but does not deviate any more: %v", c.ID, why, err)
		}
	}
	if listed != len(limboDeviations) {
		t.Errorf("%d cases listed, %d exist", len(limboDeviations), listed)
	}
}
