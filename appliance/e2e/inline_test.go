package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/clearspan/clearspan/hack/lab"
	"github.com/clearspan/clearspan/hack/netlab"
)

// device is a bridge between two ports of the box.
type device struct {
	*netlab.Namespace
	scene *scene
}

func newDevice(c *scene) *device {
	c.Helper()
	ns, err := c.Lab.Namespace("device")
	if err != nil {
		c.Fatal(err)
	}
	d := &device{ns, c}
	// A leg that comes back has the namespace's defaults.
	if err := c.Box.Sysctl("net/ipv6/conf/default/disable_ipv6", "1"); err != nil {
		c.Fatal(err)
	}
	for i := range 2 {
		err := c.Lab.Link(netlab.End{Namespace: c.Box, Name: fmt.Sprintf("chain%d", i), Silent: true},
			netlab.End{Namespace: ns, Name: fmt.Sprintf("dev%d", i), Silent: true}, netlab.LinkOptions{})
		if err != nil {
			c.Fatal(err)
		}
	}
	d.run("ip", "link", "add", "name", "br0", "type", "bridge", "stp_state", "0", "forward_delay", "0", "mcast_snooping", "0")
	for _, name := range []string{"dev0", "dev1"} {
		d.run("ip", "link", "set", "dev", name, "master", "br0")
	}
	d.run("ip", "link", "set", "dev", "br0", "up")
	return d
}

func (d *device) run(name string, args ...string) {
	d.scene.Helper()
	if out, err := d.Command(context.Background(), name, args...).CombinedOutput(); err != nil {
		d.scene.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
}

// clients are the client's addresses, as tshark names their fields.
var clients = map[string]string{"ip": lab.ClientV4, "ipv6": lab.ClientV6}

// TestInlineDevice sends web sessions through a bridge: it sees cleartext with the
// true addresses on the port of HTTP, and what it does is done to the session.
func TestInlineDevice(t *testing.T) {
	for _, how := range []string{"closed", "open"} {
		t.Run(how, func(t *testing.T) {
			var d *device
			name := fmt.Sprintf("ips-%d-%s", os.Getpid(), how)
			c := newScene(t, settings{
				prepare: func(c *scene) { d = newDevice(c) },
				policy:  "{default: bump, services: [" + name + "]}",
				more:    "services:\n  - {name: " + name + ", kind: inline, legs: [chain0, chain1], timeout: 1s, on_failure: " + how + "}",
			})
			web := c.nginx()
			page := c.page(web, "page", 200_000)
			seen, err := lab.StartCapture(d.Namespace, "dev0", filepath.Join(c.directory("device"), "seen.pcap"))
			if err != nil {
				t.Fatal(err)
			}
			for _, args := range [][]string{
				{"--http1.1", "https://" + webName + "/page"}, {"--http1.1", "https://" + webName + ":8443/page"},
				{"--http2", "https://" + webName + "/page"}, {"--http1.1", "-g", "https://[" + lab.OriginV6 + "]/page"},
			} {
				x := c.fetch(args...)
				same(t, strings.Join(args, " "), x.content, page)
			}
			eventually(t, "sessions ended", func() bool {
				m := c.metrics()
				return m[`clearspan_inline_events_total{event="carried",service="`+name+`"}`] == 4
			})
			// The device dies.
			d.run("ip", "link", "set", "dev", "dev0", "nomaster")
			d.run("ip", "link", "set", "dev", "dev1", "down")
			r, err := lab.Curl(c.ctx, c.Client, c.ca, append(lab.Resolve(webName, lab.OriginV4), "--max-time", "10", "-o", "/dev/null", "https://"+webName+"/page")...)
			if (err == nil) != (how == "open") {
				t.Errorf("without a device: %v %s", err, r.Stderr)
			}
			if _, err := seen.Stop(); err != nil {
				t.Error(err)
			}
			// HTTP/1.1 to port 443, by both versions of IP, on the port of HTTP.
			for address, want := range map[string]string{"ip": lab.OriginV4, "ipv6": lab.OriginV6} {
				requests, err := lab.Fields(c.ctx, seen.File, "http.request && tcp.dstport == 80", address+".src", address+".dst", "http.request.uri")
				if err != nil {
					t.Fatal(err)
				}
				shown := 0
				for _, r := range requests {
					if len(r) == 3 && r[0] == clients[address] && r[1] == want && r[2] == "/page" {
						shown++
					}
				}
				if shown != 1 {
					t.Errorf("the device saw %q", requests)
				}
			}
			c.stop()
			words := make(map[string]int)
			for _, e := range c.entries() {
				words[e.Service[name]]++
			}
			want := map[string]string{"open": "bypassed", "closed": "refused"}[how]
			if words["carried"] != 4 || words[want] != 1 {
				t.Errorf("entries say %v", words)
			}
		})
	}
}
