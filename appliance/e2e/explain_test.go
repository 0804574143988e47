package e2e

import (
	"crypto/tls"
	"fmt"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/clearspan/clearspan/hack/lab"
)

// TestExplainCapture has the command tell from a capture of the clients' side what
// would become of each connection: what did become of it.
func TestExplainCapture(t *testing.T) {
	c := newScene(t, settings{Policy: `
  default: bump
  rules:
    - {name: banks, host: ["*.bank.test"], origin: [` + lab.OriginV4 + `], action: tunnel}
    - {name: evil, host: ["*.evil.test"], action: terminate}`})
	c.Page(c.Nginx(), "page.bin", 20_000)
	lan, err := lab.StartCapture(c.Box, lab.LANInterface, filepath.Join(c.Directory("lan"), "lan.pcap"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"www.bank.test", "www.evil.test", webName, ""} {
		conn := &carving{Conn: c.Dial(lab.TLSPort), record: 400, segment: 300}
		client := tls.Client(conn, &tls.Config{InsecureSkipVerify: true, ServerName: name})
		if err := client.HandshakeContext(c.Ctx); (err == nil) == (name == "www.evil.test") {
			t.Errorf("%s: %v", name, err)
		}
		client.Close()
	}
	c.Fetch("https://" + webName + "/page.bin")
	c.Fetch("http://" + webName + "/page.bin")
	c.Stop()
	if _, err := lan.Stop(); err != nil {
		t.Fatal(err)
	}
	out := c.Clearspan("policy", "explain", "-c", c.Appliance.ConfigFile, "--pcap", lan.File)
	told := make(map[string]string) // fate and rule, by the ports of client and origin
	for _, m := range regexp.MustCompile(`(?m)^\d+  \S+:(\d+) > \S+:(\d+)  .*  (\w+): rule ([\w-]+)`).FindAllStringSubmatch(out, -1) {
		told[m[1]+" "+m[2]] = m[4] + " " + m[3]
	}
	entries := c.Entries()
	if len(told) != len(entries) || len(entries) != 6 {
		t.Errorf("%d connections told of, %d sessions:\n%s", len(told), len(entries), out)
	}
	for _, e := range entries {
		outcome := map[string]string{"bumped": "decrypted"}[e.Outcome]
		if outcome == "" {
			outcome = e.Outcome
		}
		if got, want := told[fmt.Sprint(e.Client.Port(), e.Origin.Port())], e.Rule+" "+outcome; got != want {
			t.Errorf("told %q, was %q", got, want)
		}
	}
}
