package e2e

import (
	"encoding/xml"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/clearspan/clearspan/hack/lab"
)

// scan is what sslscan reports, as far as it is asked for.
type scan struct {
	Protocol []struct {
		Type    string `xml:"type,attr"`
		Version string `xml:"version,attr"`
		Enabled int    `xml:"enabled,attr"`
	} `xml:"ssltest>protocol"`
	Renegotiation struct {
		Supported int `xml:"supported,attr"`
	} `xml:"ssltest>renegotiation"`
	Compression []struct {
		Supported int `xml:"supported,attr"`
	} `xml:"ssltest>compression"`
	Heartbleed []struct {
		Vulnerable int `xml:"vulnerable,attr"`
	} `xml:"ssltest>heartbleed"`
	Cipher []struct {
		Version  string `xml:"sslversion,attr"`
		Bits     int    `xml:"bits,attr"`
		Name     string `xml:"cipher,attr"`
		Strength string `xml:"strength,attr"`
	} `xml:"ssltest>cipher"`
	Group []struct {
		Bits int    `xml:"bits,attr"`
		Name string `xml:"name,attr"`
	} `xml:"ssltest>group"`
	Signature []struct {
		Name string `xml:"name,attr"`
	} `xml:"ssltest>connection-signature-algorithm"`
}

// TestScan has sslscan look for faults on the client leg, and openssl try what
// that does not: before an origin with TLS 1.3, before one that has no more than
// TLS 1.2, whose lack the client must see, and where nothing below 1.3 is wanted.
func TestScan(t *testing.T) {
	const choice = `{min_tls: "1.2"}`
	c := newScene(t, settings{Blind: true, More: "client: " + choice})
	if _, err := lab.StartNginx(c.Origin, c.Directory("nginx"), []lab.Site{
		{Port: 443, Certificate: &c.Cert}, {Port: 8443, Certificate: &c.Cert, Protocols: "TLSv1.2"},
	}); err != nil {
		t.Fatal(err)
	}
	suites12 := []string{
		"ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305",
		"ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-RSA-CHACHA20-POLY1305",
	}
	suites13 := []string{"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"}
	for _, row := range []struct {
		name     string
		minimum  string // client.min_tls, changed for this row and what follows
		port     int
		versions []string
		suites   []string
	}{
		{"origin with TLS 1.3", "", 443, []string{"1.2", "1.3"}, slices.Concat(suites12, suites13)},
		{"origin with TLS 1.2 only", "", 8443, []string{"1.2"}, suites12},
		{"clients of TLS 1.3 only", `{min_tls: "1.3"}`, 443, []string{"1.3"}, suites13},
	} {
		t.Run(row.name, func(t *testing.T) {
			if row.minimum != "" {
				c.reconfigure(choice, row.minimum, "reloaded")
			}
			c := c.In(t)
			c.scanned(row.port, row.versions, row.suites)
			if slices.Contains(row.versions, "1.2") {
				c.stubborn(row.port)
			}
		})
	}
	c.Stop()
}

// scanned runs sslscan on a port of the origin and wants exactly these versions
// and suites, in any order, and no fault.
func (c *scene) scanned(port int, versions, suites []string) {
	c.Helper()
	r, err := lab.Run(c.Ctx, c.Client, "", "sslscan", "--no-colour", "--show-sigs", "--sni-name="+webName, "--xml=-", fmt.Sprintf("%s:%d", lab.OriginV4, port))
	var s scan
	if err == nil {
		err = xml.Unmarshal([]byte(r.Stdout), &s)
	}
	if err != nil {
		c.Fatalf("sslscan: %v\n%s", err, r.Stdout)
	}
	var enabled []string
	for _, p := range s.Protocol {
		if p.Enabled != 0 {
			enabled = append(enabled, strings.TrimPrefix(p.Version, p.Type))
		}
	}
	if len(s.Protocol) != 6 {
		c.Errorf("%d protocols were tried, want SSL 2 to TLS 1.3", len(s.Protocol))
	}
	if diff := cmp.Diff(versions, enabled); diff != "" {
		c.Errorf("versions (-want +got):\n%s", diff)
	}
	var accepted []string
	for _, cipher := range s.Cipher {
		accepted = append(accepted, cipher.Name)
		if cipher.Bits < 128 || cipher.Strength != "strong" && cipher.Strength != "acceptable" { // sslscan's word for TLS 1.3
			c.Errorf("suite %+v", cipher)
		}
	}
	slices.Sort(accepted)
	slices.Sort(suites)
	if diff := cmp.Diff(suites, accepted); diff != "" {
		c.Errorf("suites (-want +got):\n%s", diff)
	}
	for _, g := range s.Group {
		if g.Bits < 128 {
			c.Errorf("group %s has %d bits", g.Name, g.Bits)
		}
	}
	for _, a := range s.Signature {
		if strings.Contains(a.Name, "sha1") || strings.Contains(a.Name, "md5") || strings.Contains(a.Name, "dsa_sha") && !strings.Contains(a.Name, "ecdsa") {
			c.Errorf("signature algorithm %s", a.Name)
		}
	}
	if s.Renegotiation.Supported != 0 {
		c.Error("renegotiation")
	}
	for _, compression := range s.Compression {
		if compression.Supported != 0 {
			c.Error("compression")
		}
	}
	if len(s.Heartbleed) == 0 {
		c.Error("Heartbleed was not tried")
	}
	for _, h := range s.Heartbleed {
		if h.Vulnerable != 0 {
			c.Error("Heartbleed")
		}
	}
}

// stubborn has openssl renegotiate, insist on compression, and say by SCSV that it
// fell back.
func (c *scene) stubborn(port int) {
	c.Helper()
	base := []string{"-connect", fmt.Sprintf("%s:%d", lab.OriginV4, port), "-servername", webName, "-CAfile", c.CA}
	r, err := lab.OpenSSL(c.Ctx, c.Client, "R\n", append(base, "-tls1_2")...)
	if _, after, found := strings.Cut(r.Stderr, "RENEGOTIATING"); !found || err == nil || strings.Contains(after, "verify return") {
		c.Errorf("renegotiation: %v\n%s\n%s", err, r.Stdout, r.Stderr)
	}
	r, err = lab.OpenSSL(c.Ctx, c.Client, "", append(base, "-tls1_2", "-comp")...)
	if err != nil || !strings.Contains(r.Stdout, "Compression: NONE") || !strings.Contains(r.Stdout, "Verify return code: 0") {
		c.Errorf("compression: %v\n%s\n%s", err, r.Stdout, r.Stderr)
	}
	if port == 443 { // RFC 7507: only where there is something better
		r, err = lab.OpenSSL(c.Ctx, c.Client, "", append(base, "-tls1_2", "-fallback_scsv")...)
		if err == nil || !strings.Contains(r.Stderr, "inappropriate fallback") {
			c.Errorf("fallback: %v\n%s", err, r.Stderr)
		}
	}
}
