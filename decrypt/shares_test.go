package decrypt

import (
	"bytes"
	"crypto/tls"
	"os/exec"
	"testing"

	"github.com/clearspan/clearspan/decrypt/clienthello"
	"github.com/clearspan/clearspan/decrypt/policy"
	"github.com/clearspan/clearspan/hack/needs"
)

func TestCanAnswer(t *testing.T) {
	const x448, ffdhe2048 = 0x001e, 0x0100
	const ed448, ecdsaP256, ecdsaP384, pss, pkcs1, sha1 = 0x0808, 0x0403, 0x0503, 0x0804, 0x0401, 0x0201
	const ecdsaSuite, rsaSuite, cbc, aes128, ccm = 0xc02b, 0xc02f, 0xc013, 0x1301, 0x1304
	list := func(v ...uint16) []uint16 { return v }
	for _, tt := range []struct {
		name                              string
		versions, suites, groups, schemes []uint16
		own, want                         bool
	}{
		{"today", list(0x0304, 0x0303), list(aes128, ecdsaSuite), list(0x11ec, 0x1d), list(ecdsaP256, pss), false, true},
		{"X448 alone", list(0x0304), list(aes128), list(x448), list(ecdsaP256), false, false},
		{"X448 first", list(0x0304), list(aes128), list(x448, 0x17), list(ecdsaP256), false, true},
		{"finite fields alone", list(0x0304, 0x0303), list(aes128, rsaSuite), list(ffdhe2048), list(ecdsaP256), false, false},
		{"finite fields, TLS 1.2", list(0x0303), list(rsaSuite), list(ffdhe2048), list(pss), false, false},
		{"post-quantum alone", list(0x0304), list(aes128), list(0x11ec), list(ecdsaP256), false, true},
		{"post-quantum alone, TLS 1.2", list(0x0303), list(rsaSuite), list(0x11ec), list(pss), false, false},
		{"no groups", list(0x0303), list(rsaSuite), nil, list(pss), false, false},
		{"ed448 alone", list(0x0304), list(aes128), list(0x1d), list(ed448), false, false},
		{"ed448 alone, own certificate", list(0x0304), list(aes128), list(0x1d), list(ed448), true, true},
		{"P-384 signatures alone", list(0x0304), list(aes128), list(0x1d), list(ecdsaP384), false, false},
		{"PKCS #1 alone, TLS 1.3", list(0x0304, 0x0303), list(aes128, rsaSuite), list(0x1d), list(pkcs1), false, false},
		{"PKCS #1 alone, TLS 1.2", list(0x0303), list(rsaSuite), list(0x1d), list(pkcs1), false, true},
		{"SHA-1 alone", list(0x0303), list(rsaSuite), list(0x1d), list(sha1), false, false},
		{"ECDSA suites, RSA signatures", list(0x0303), list(ecdsaSuite), list(0x17), list(pss), false, false},
		{"RSA suites, ECDSA signatures", list(0x0303), list(rsaSuite), list(0x17), list(ecdsaP256), false, false},
		{"CBC", list(0x0303), list(cbc), list(0x1d), list(pss), false, false},
		{"CCM alone, TLS 1.3", list(0x0304), list(ccm), list(0x1d), list(pss), false, false},
		{"TLS 1.1", list(0x0302), list(rsaSuite), list(0x1d), list(pss), false, false},
	} {
		if tt.want {
			dotted := &clienthello.Hello{Version: 0x0303, Versions: tt.versions, CipherSuites: tt.suites, Groups: tt.groups, SignatureSchemes: tt.schemes, FinalDot: true}
			if canAnswer(dotted, tls.VersionTLS12, tt.own) {
				t.Errorf("%s, with a final dot", tt.name)
			}
		}
		hello := &clienthello.Hello{Version: 0x0303, Versions: tt.versions, CipherSuites: tt.suites, Groups: tt.groups, SignatureSchemes: tt.schemes}
		if got := canAnswer(hello, tls.VersionTLS12, tt.own); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}

// openSSL returns the path of the program. Where it is missing the test is skipped, or
// fails where nothing may be.
func openSSL(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("openssl")
	if err != nil {
		needs.Missing(t, err)
	}
	return path
}

// Hellos of a real client that offer nothing in some respect are known as such before
// the handshake, and their session takes the action of the event.
func TestNothingInCommon(t *testing.T) {
	openssl := openSSL(t)
	for _, tt := range []struct {
		name string
		args []string
		want bool
	}{
		{"X448", []string{"-groups", "X448"}, true},
		{"finite field", []string{"-groups", "ffdhe3072"}, true},
		{"ed448", []string{"-sigalgs", "ed448"}, true},
		{"TLS 1.2 with X448", []string{"-tls1_2", "-groups", "X448"}, true},
		{"X448 or P-256", []string{"-groups", "X448:P-256"}, false},
		{"defaults", nil, false},
		{"TLS 1.2, RSA", []string{"-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256", "-sigalgs", "RSA+SHA256"}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newTLSTestbed(t, echo, nil, func(b *testbed) {
				table, err := rules(t, policy.Bump).WithEvents(policy.EventActions{policy.NoSharedCipher: policy.Tunnel})
				if err != nil {
					t.Fatal(err)
				}
				b.cfg.Policy = table
			})
			args := append([]string{"s_client", "-connect", b.front.Addr().String(), "-servername", "www.example.test"}, tt.args...)
			exec.CommandContext(t.Context(), openssl, args...).Run() // what comes of it does not matter
			s := b.session()
			if got := s.Events().Has(policy.NoSharedCipher); got != tt.want || tt.want != (s.Outcome == Tunneling) {
				t.Errorf("%s, events %v (%s %v)", s.Outcome, s.Events().Names(), s.Reason, s.Err)
			}
		})
	}
}

// A server name that ends with a dot is the name without it to the policy. If such a hello
// is not tunneled, its client is told what is wrong with it, and the origin sees nothing.
func TestFinalDot(t *testing.T) {
	openssl := openSSL(t)
	for _, tunnel := range []bool{false, true} {
		b := newTLSTestbed(t, echo, nil, func(b *testbed) {
			table, err := rules(t, policy.Bump).WithEvents(policy.EventActions{})
			if tunnel {
				table, err = rules(t, policy.Bump).WithEvents(policy.EventActions{policy.NoSharedCipher: policy.Tunnel})
			}
			if err != nil {
				t.Fatal(err)
			}
			b.cfg.Policy = table
		})
		out, _ := exec.CommandContext(t.Context(), openssl, "s_client", "-connect", b.front.Addr().String(), "-servername", "www.example.test.").CombinedOutput()
		s := b.session()
		if s.SNI != "www.example.test" || !s.Events().Has(policy.NoSharedCipher) {
			t.Errorf("name %q, events %v", s.SNI, s.Events().Names())
		}
		switch {
		case tunnel && s.Outcome != Tunneling:
			t.Errorf("%s (%s %v)", s.Outcome, s.Reason, s.Err)
		case !tunnel && (s.Reason != reasonMalformed || !bytes.Contains(out, []byte("SSL alert number 112"))):
			t.Errorf("reason %s, the client says %s", s.Reason, out)
		}
	}
}
