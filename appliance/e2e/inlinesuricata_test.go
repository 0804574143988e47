package e2e

import (
	"fmt"
	"net/netip"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/clearspan/clearspan/hack/lab"
	"github.com/clearspan/clearspan/hack/needs"
	"github.com/clearspan/clearspan/hack/netlab"
	"github.com/clearspan/clearspan/hack/scenetest"
)

// suricataRules drop by what is asked for and by what is answered.
const suricataRules = `drop http any any -> any 80 (msg:"asked"; flow:established,to_server; http.uri; content:"/asked"; sid:1; rev:1;)
drop tcp any 80 -> any any (msg:"answered"; flow:established,to_client; content:"forbidden fruit"; sid:2; rev:1;)
`

// TestInlineSuricata has Suricata, in a bridge's place, read HTTPS in clear and
// drop what its rules are for.
func TestInlineSuricata(t *testing.T) {
	if _, err := exec.LookPath("suricata"); err != nil {
		needs.Missing(t, err)
	}
	var ips *lab.Suricata
	c, d := deviceScene(t, "timeout: 2s, on_failure: closed", func(d *device) {
		for i := range 2 {
			for _, err := range []error{
				d.scene.Box.SetOffload(fmt.Sprintf("chain%d", i), false, netlab.TXChecksum, netlab.TSO, netlab.GSO, netlab.GRO),
				d.SetOffload(fmt.Sprintf("dev%d", i), false, netlab.TXChecksum, netlab.TSO, netlab.GSO, netlab.GRO),
			} {
				if err != nil {
					d.scene.Fatal(err)
				}
			}
		}
		var err error
		if ips, err = lab.StartSuricata(d.Namespace, d.scene.Directory("suricata"), [2]string{"dev0", "dev1"}, suricataRules); err != nil {
			d.scene.Fatal(err)
		}
	}, settings{})
	web := c.Nginx()
	good := c.Page(web, "good", 2_000_000)
	c.Page(web, "asked", 1000)
	c.Write(filepath.Join(web.Root, "answer"), []byte("a forbidden fruit\n"))
	for _, origin := range []string{lab.OriginV4, lab.OriginV6} {
		page, err := d.get(origin, "good")
		if err != nil {
			t.Errorf("good of %s: %v", origin, err)
		}
		scenetest.Same(t, "good of "+origin, page, good)
		for _, name := range []string{"asked", "answer"} {
			if _, err := d.get(origin, name); err == nil {
				t.Errorf("Suricata let %s of %s pass", name, origin)
			}
		}
	}
	scenetest.Eventually(t, "sessions ended", func() bool { return d.events("carried") == 2 && d.events("timed-out") == 4 })
	var alerts []lab.Alert
	scenetest.Eventually(t, "Suricata tells of them", func() bool {
		var err error
		alerts, err = ips.Alerts()
		return err == nil && len(alerts) >= 4
	})
	told := make(map[string]bool)
	for _, a := range alerts {
		told[fmt.Sprint(a.Alert.Signature, " ", a.Source, " ", a.Destination, " ", a.Alert.Action)] = true
	}
	for _, ends := range [][2]string{{lab.ClientV4, lab.OriginV4}, {lab.ClientV6, lab.OriginV6}} {
		for _, want := range []string{
			fmt.Sprint("asked ", expanded(ends[0]), " ", expanded(ends[1]), " blocked"),
			fmt.Sprint("answered ", expanded(ends[1]), " ", expanded(ends[0]), " blocked"),
		} {
			if !told[want] {
				t.Errorf("Suricata did not tell %q, but %v", want, told)
			}
		}
	}
	c.Stop()
	for _, e := range c.Entries() {
		word, reason := "timed-out", "inline-timeout"
		if len(e.HTTP) == 1 && e.HTTP[0].Path == "/good" {
			word, reason = "carried", ""
		}
		if d.word(e) != word || e.Reason != reason {
			t.Errorf("session of %s: the device %q, reason %q, want %q and %q", e.Client, d.word(e), e.Reason, word, reason)
		}
	}
}

// expanded is an address as Suricata writes it: nothing left out.
func expanded(s string) string { return netip.MustParseAddr(s).StringExpanded() }
