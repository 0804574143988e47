package e2e

import (
	"bytes"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/clearspan/clearspan/hack/lab"
)

// TestQUIC has a client and servers of ngtcp2 speak HTTP/3 through a wire where QUIC
// passes, with and without a Retry. What a rule terminates by host fails, as does a version
// that is not read. Each flow has one entry.
func TestQUIC(t *testing.T) {
	c := wireSceneWith(t, "late", "quic: pass", "{default: bump, rules: [{name: evil, host: [evil.test], action: terminate}]}", 0)
	web := c.Nginx()
	page := c.Page(web, "page.bin", 300_000)
	const retryPort = 4433
	for port, retry := range map[int]bool{lab.TLSPort: false, retryPort: true} {
		if _, err := lab.StartGTLSServer(c.Origin, c.Directory(fmt.Sprint("gtlsserver", port)), web.Root, port, c.Cert, retry); err != nil {
			t.Fatal(err)
		}
	}
	get := func(name, address string, port int, args ...string) ([]byte, error) {
		return lab.GTLSClient(c.Ctx, c.Client, t.TempDir(), name, address, port, "page.bin", args...)
	}
	soon := []string{"--handshake-timeout=2s", "--timeout=2s"} // it waits, whatever ICMP says
	want := make(map[string]int)
	for _, tt := range []struct {
		address string
		port    int
	}{{lab.OriginV4, lab.TLSPort}, {lab.OriginV6, lab.TLSPort}, {lab.OriginV4, retryPort}} {
		got, err := get(webName, tt.address, tt.port)
		if err != nil || !bytes.Equal(got, page) {
			t.Errorf("%s port %d: %d octets of %d, %v", tt.address, tt.port, len(got), len(page), err)
		}
		want["tunneled "+webName+" 1 whole"]++
	}
	if got, err := get(webName, lab.OriginV4, lab.TLSPort, append(soon, "--version=0x709a50c4")...); err == nil {
		t.Errorf("%d octets by a draft of version 2", len(got))
	}
	want["terminated  0x709a50c4 unsupported"]++
	if got, err := get("evil.test", lab.OriginV4, lab.TLSPort, soon...); err == nil {
		t.Errorf("%d octets of evil.test", len(got))
	}
	want["terminated evil.test 1 whole"]++
	c.Stop()
	got := make(map[string]int)
	for _, e := range c.QUICFlows() {
		got[fmt.Sprint(e.Outcome, " ", e.SNI, " ", e.QUIC.Version, " ", e.QUIC.Hello)]++
		if e.QUIC.Hello != "whole" {
			continue
		}
		if e.TLSClient == nil || !strings.HasPrefix(e.TLSClient.JA4, "q13d") || len(e.QUIC.ALPN) == 0 {
			t.Errorf("entry %+v, %+v, %+v", e, e.QUIC, e.TLSClient)
		}
		if evil := e.SNI == "evil.test"; evil != e.QUIC.Refused || evil != (e.Rule == "evil") || evil != (e.Action == "terminate") {
			t.Errorf("entry of %s: rule %s, action %s, refused %v", e.SNI, e.Rule, e.Action, e.QUIC.Refused)
		}
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("entries %v, want %v\n%s", got, want, filepath.Join(c.Dir, "state", "sessions.jsonl"))
	}
}

// TestRoutedQUIC has the intakes of routed traffic name the QUIC that they refuse, of a
// browser and of ngtcp2. Where QUIC passes, it has an entry, too.
func TestRoutedQUIC(t *testing.T) {
	for name, intake := range map[string]string{
		"tproxy":   everyPort,
		"redirect": `{name: nat, mode: redirect, listen: ":8098", from: [` + lab.LANInterface + `], ports: [443, 9443]}`,
		"pass":     `{name: gateway, mode: tproxy, listen: ":8099", from: [` + lab.LANInterface + `], quic: pass}`,
	} {
		t.Run(name, func(t *testing.T) {
			c := newScene(t, settings{Intake: intake, Policy: "{default: bump, rules: [{name: web, host: [" + webName + "], action: bump}]}"})
			web, err := lab.StartNginx(c.Origin, c.Directory("nginx"), []lab.Site{
				{Port: lab.TLSPort, Certificate: &c.Cert},
				{Port: lab.HTTP1Port, Certificate: &c.Cert, HTTP1: true, AltSvc: `h3=":443"; ma=3600`},
			})
			if err != nil {
				t.Fatal(err)
			}
			page := c.Page(web, "page.bin", 100_000)
			c.album(web)
			if _, err := lab.StartGTLSServer(c.Origin, c.Directory("gtlsserver"), web.Root, lab.TLSPort, c.Cert, false); err != nil {
				t.Fatal(err)
			}
			got, err := lab.GTLSClient(c.Ctx, c.Client, t.TempDir(), webName, lab.OriginV4, lab.TLSPort, "page.bin", "--handshake-timeout=3s")
			if name == "pass" {
				if err != nil || !bytes.Equal(got, page) {
					t.Errorf("%d octets of %d, %v", len(got), len(page), err)
				}
				c.Stop()
				flows := c.QUICFlows()
				if len(flows) != 1 || flows[0].SNI != webName || flows[0].Rule != "web" || flows[0].Outcome != "tunneled" || flows[0].QUIC.Refused {
					t.Errorf("flows %+v", flows)
				}
				return
			}
			if err == nil {
				t.Errorf("%d octets by QUIC", len(got))
			}
			document, err := lab.Chromium(c.Ctx, c.Client, t.TempDir(), c.CA, webName, lab.OriginV4, "https://"+webName+":9443/album.html")
			if n := strings.Count(document, "[loaded "); err != nil || n != scripts {
				t.Errorf("%d objects of %d were loaded, %v", n, scripts, err)
			}
			c.Stop()
			c.expectChromium("web", "bump", "quic-blocked")
			two := 0
			for _, e := range c.QUICFlows() {
				if e.QUIC.Datagrams > 1 {
					two++ // of Chromium
				}
			}
			if two == 0 {
				t.Error("no flow of more than one datagram")
			}
		})
	}
}
