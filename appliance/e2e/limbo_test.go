package e2e

import (
	"bytes"
	"compress/gzip"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/clearspan/clearspan/certs"
	"github.com/clearspan/clearspan/hack/lab"
)

// limboCase is a case of C2SP/x509-limbo that can be served today.
type limboCase struct {
	ID            string
	Kind          string   `json:"validation_kind"`
	Roots         []string `json:"trusted_certs"`
	Intermediates []string `json:"untrusted_intermediates"`
	Leaf          string   `json:"peer_certificate"`
	Key           string   `json:"peer_certificate_key"`
	Time          string   `json:"validation_time"`
	Expected      string   `json:"expected_result"`
	PeerName      *struct {
		Value string
	} `json:"expected_peer_name"`
}

// limboCases returns the cases about servers that come with a key, are decided by
// today's date, and by a name that the lab's origin can have.
func limboCases(t *testing.T) (list []limboCase) {
	t.Helper()
	f, err := os.Open("../../certs/testdata/x509-limbo.json.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	plain, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var suite struct{ Testcases []limboCase }
	if err := json.NewDecoder(plain).Decode(&suite); err != nil {
		t.Fatal(err)
	}
	for _, c := range suite.Testcases {
		if c.Kind != "SERVER" || c.Key == "" || c.Time != "" || c.PeerName == nil {
			continue
		}
		if net.ParseIP(c.PeerName.Value) != nil && c.PeerName.Value != lab.OriginV4 {
			continue
		}
		list = append(list, c)
	}
	return list
}

// serves returns what the origin of a case serves. A key that crypto/tls does not
// sign with is replaced.
func (l *limboCase) serves(t *testing.T) *tls.Config {
	t.Helper()
	pair := tls.Certificate{PrivateKey: ecdsaKey(t)}
	for _, text := range append([]string{l.Leaf}, l.Intermediates...) {
		block, _ := pem.Decode([]byte(text))
		if block == nil {
			t.Fatalf("%s: no certificate", l.ID)
		}
		pair.Certificate = append(pair.Certificate, block.Bytes)
	}
	if block, _ := pem.Decode([]byte(l.Key)); block != nil {
		if key, err := x509.ParsePKCS8PrivateKey(block.Bytes); err == nil {
			pair.PrivateKey = key
		} else if key, err := x509.ParseECPrivateKey(block.Bytes); err == nil {
			pair.PrivateKey = key
		} else if key, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
			pair.PrivateKey = key
		}
	}
	return &tls.Config{Certificates: []tls.Certificate{pair}}
}

// roots returns the roots of a case that can be parsed: files with others are
// refused as a whole.
func (l *limboCase) roots() (list []*x509.Certificate) {
	for _, text := range l.Roots {
		if block, _ := pem.Decode([]byte(text)); block != nil {
			if root, err := x509.ParseCertificate(block.Bytes); err == nil {
				list = append(list, root)
			}
		}
	}
	return list
}

// verdict is what our judge makes of a case without the rest of the appliance.
// Where that differs from what the suite wants, package certs says why.
func (l *limboCase) verdict(t *testing.T, chain [][]byte) string {
	pool := x509.NewCertPool()
	for _, root := range l.roots() {
		pool.AddCert(root)
	}
	state := &tls.ConnectionState{Version: tls.VersionTLS13}
	for _, der := range chain {
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			return "malformed"
		}
		state.PeerCertificates = append(state.PeerCertificates, cert)
	}
	if err := certs.NewJudge(certs.JudgeConfig{Roots: pool}).Verify(t.Context(), l.PeerName.Value, state); err != nil {
		return string(certs.ReasonOf(err))
	}
	return "ok"
}

// TestLimboThroughAppliance serves x509-limbo to clients of the running appliance,
// whose roots change with each case: whoever is refused by the judge, is refused
// here, in each of the three ways, and nobody else.
func TestLimboThroughAppliance(t *testing.T) {
	const port = 7201
	var roots string
	c := newScene(t, settings{
		Plain: true, Blind: true,
		Origin:  "revocation: {mode: off}, on_invalid: {default: untrusted, malformed: untrusted, weak-signature: untrusted}",
		Prepare: prepared(func(c *scene) { roots = c.PKI.RootFile }),
	})
	untrusted := filepath.Join(filepath.Dir(c.CA), "untrusted.crt")
	var serves atomic.Pointer[tls.Config]
	c.Listen(port, func(conn net.Conn) { c.Echo(serves.Load())(conn) })
	always := c.ReadFile(roots)
	cases := limboCases(t)
	accepted, refused := 0, 0
	type expectation struct{ outcome, verdict string }
	want := make(map[uint16][]expectation) // by the client's port, which comes again
	on := []string{"untrusted", "block", "tunnel"}
	for i, way := range on {
		if i > 0 {
			c.reconfigure("{default: "+on[i-1]+", malformed: "+on[i-1]+", weak-signature: "+on[i-1]+"}", "{default: "+way+", malformed: "+way+", weak-signature: "+way+"}", "reloaded")
		}
		for _, l := range cases {
			cfg := l.serves(t)
			chain := cfg.Certificates[0].Certificate
			file := bytes.NewBuffer(slices.Clone(always))
			for _, root := range l.roots() {
				pem.Encode(file, &pem.Block{Type: "CERTIFICATE", Bytes: root.Raw})
			}
			c.Write(roots, file.Bytes())
			c.reload("reloaded")
			serves.Store(cfg)
			s := c.look(port, l.PeerName.Value)
			verdict := l.verdict(t, chain)
			trusted := c.signed(s, c.CA)
			if trusted != (verdict == "ok") {
				t.Errorf("%s, %s: trusted %t, judged %s, wanted %s: %v", l.ID, way, trusted, verdict, l.Expected, s.err)
			}
			if trusted {
				accepted++
				want[s.port.Client] = append(want[s.port.Client], expectation{"bumped", "ok"})
				continue
			}
			refused++
			outcome := ""
			switch way {
			case "block":
				outcome = "failed"
				if s.chain != nil {
					t.Errorf("%s, %s: a certificate was shown", l.ID, way)
				}
			case "untrusted":
				if s.chain != nil && !c.signed(s, untrusted) {
					t.Errorf("%s, %s: another has signed what is shown", l.ID, way)
				}
			case "tunnel":
				outcome = "tunneled"
				if s.chain != nil && !slices.EqualFunc(s.chain, chain, bytes.Equal) {
					t.Errorf("%s, %s: another chain is shown", l.ID, way)
				}
			}
			want[s.port.Client] = append(want[s.port.Client], expectation{outcome, verdict})
		}
	}
	t.Logf("%d cases: %d times accepted, %d times refused", len(cases), accepted, refused)
	if len(cases) < 140 || accepted < 3*40 || refused < 3*80 {
		t.Error("another suite")
	}
	c.Stop()
	for _, e := range c.Entries() {
		port := e.Client.Port()
		if len(want[port]) == 0 {
			t.Fatalf("an entry too many: %+v", e)
		}
		w := want[port][0]
		want[port] = want[port][1:]
		if w.outcome != "" && e.Outcome != w.outcome || e.TLSOrigin == nil || e.TLSOrigin.Verdict == "" || (w.verdict == "ok") != (e.TLSOrigin.Verdict == "ok") {
			t.Errorf("want %+v, got %s, %+v", w, e.Outcome, e.TLSOrigin)
		}
	}
	for port, rest := range want {
		if len(rest) > 0 {
			t.Errorf("no entry for client port %d: %+v", port, rest)
		}
	}
	if log := c.Appliance.Log(); strings.Contains(log, "panic") {
		t.Errorf("%.2000s", log)
	}
}
