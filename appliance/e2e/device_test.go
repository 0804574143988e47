package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/clearspan/clearspan/hack/lab"
	"github.com/clearspan/clearspan/hack/netlab"
	"github.com/clearspan/clearspan/hack/scenetest"
)

// device is a machine between two ports of the box, dev0 and dev1, the former
// toward clients.
type device struct {
	*netlab.Namespace
	scene   *scene
	service string // its name in the appliance's configuration
}

// devices counts those of this process: names of services are the machine's.
var devices atomic.Int64

// deviceScene is a scene whose sessions go through a device, which build makes
// what it is. keys are members of the service beside name, kind and legs.
func deviceScene(t *testing.T, keys string, build func(*device), s settings) (*scene, *device) {
	t.Helper()
	d := &device{service: fmt.Sprintf("ips-%d-%d", os.Getpid(), devices.Add(1))} // the name is the machine's
	s.Prepare = prepared(func(c *scene) {
		d.cable(c)
		build(d)
	})
	s.Policy = "{default: bump, services: [" + d.service + "]}"
	s.More = "services:\n  - {name: " + d.service + ", kind: inline, legs: [chain0, chain1]" + scenetest.Prefixed(", ", keys) + "}"
	c := newScene(t, s)
	return c, d
}

// cable makes the device's namespace and joins it to the box.
func (d *device) cable(c *scene) {
	c.Helper()
	var err error
	if d.Namespace, err = c.AddDevice(); err != nil {
		c.Fatal(err)
	}
	d.scene = c
}

// bridge makes the device a bridge.
func (d *device) bridge() {
	d.scene.Helper()
	if err := lab.Bridge(d.scene.Ctx, d.Namespace); err != nil {
		d.scene.Fatal(err)
	}
}

// router makes the device a router, clients behind dev0 and origins behind dev1.
func (d *device) router() {
	d.scene.Helper()
	for i := range 2 {
		port := fmt.Sprintf("dev%d", i)
		if err := d.Sysctl("net/ipv6/conf/"+port+"/disable_ipv6", "0"); err != nil {
			d.scene.Fatal(err)
		}
		d.run("ip", "link", "set", "dev", port, "arp", "on")
		if r, err := lab.Run(d.scene.Ctx, d.scene.Box, "", "ip", "link", "set", "dev", fmt.Sprintf("chain%d", i), "arp", "on"); err != nil {
			d.scene.Fatalf("%v\n%s", err, r.Stderr)
		}
		d.run("ip", "addr", "add", fmt.Sprintf("10.9.%d.1/30", i), "dev", port)
		d.run("ip", "addr", "add", fmt.Sprintf("fd09:%d::1/64", i), "dev", port, "nodad")
		host := [][2]string{{lab.ClientV4, lab.ClientV6}, {lab.OriginV4, lab.OriginV6}}[i]
		d.run("ip", "route", "add", host[0], "via", fmt.Sprintf("10.9.%d.2", i))
		d.run("ip", "route", "add", host[1], "via", fmt.Sprintf("fd09:%d::2", i))
	}
	if err := d.Forward(); err != nil {
		d.scene.Fatal(err)
	}
}

// hops has a service find [device.router].
const hops = `hops: [
  {leg: chain0, address: 10.9.0.2/30, gateway: 10.9.0.1}, {leg: chain0, address: "fd09:0::2/64", gateway: "fd09:0::1"},
  {leg: chain1, address: 10.9.1.2/30, gateway: 10.9.1.1}, {leg: chain1, address: "fd09:1::2/64", gateway: "fd09:1::1"}]`

// run runs a program in the device.
func (d *device) run(name string, args ...string) {
	d.scene.Helper()
	if out, err := d.Command(context.Background(), name, args...).CombinedOutput(); err != nil {
		d.scene.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
}

// nft gives the device rules.
func (d *device) nft(rules string) {
	d.scene.Helper()
	if err := lab.NFT(d.scene.Ctx, d.Namespace, rules); err != nil {
		d.scene.Fatal(err)
	}
}

// plug takes the cable of a port out of the device, or puts it back.
func (d *device) plug(port string, in bool) {
	d.scene.Helper()
	if err := d.SetUp(port, in); err != nil {
		d.scene.Fatal(err)
	}
}

// get has the client fetch a page of the origin's address by HTTP/1.1.
func (d *device) get(origin, name string) ([]byte, error) {
	d.scene.Helper()
	file := filepath.Join(d.scene.TempDir(), "page")
	_, err := lab.Curl(d.scene.Ctx, d.scene.Client, d.scene.CA, append(lab.Resolve(webName, origin),
		"--http1.1", "--max-time", "20", "--output", file, "https://"+webName+"/"+name)...)
	if err != nil {
		return nil, err
	}
	return d.scene.ReadFile(file), nil
}

// record captures what is on a port of the device.
func (d *device) record(port string) *lab.Capture {
	d.scene.Helper()
	seen, err := lab.StartCapture(d.Namespace, port, filepath.Join(d.scene.Directory("device"), "seen.pcap"))
	if err != nil {
		d.scene.Fatal(err)
	}
	return seen
}

// fields reads what frames of a capture that match a filter say, with the
// addresses of source and destination, of whichever version of IP, in front.
func (d *device) fields(seen *lab.Capture, filter string, names ...string) (rows [][]string) {
	d.scene.Helper()
	found, err := lab.Fields(d.scene.Ctx, seen.File, filter, append([]string{"ip.src", "ipv6.src", "ip.dst", "ipv6.dst"}, names...)...)
	if err != nil {
		d.scene.Fatal(err)
	}
	for _, f := range found {
		rows = append(rows, append([]string{f[0] + f[1], f[2] + f[3]}, f[4:]...))
	}
	return rows
}

// events returns how often something became of a session, a probe or a frame.
func (d *device) events(event string) int {
	d.scene.Helper()
	n, ok := d.scene.Metrics()[`clearspan_inline_events_total{event="`+event+`",service="`+d.service+`"}`]
	if !ok {
		d.scene.Fatalf("no event %q is counted", event)
	}
	return int(n)
}

// word returns what an entry says of the device.
func (d *device) word(e entry) string { return e.Service[d.service] }

// words counts what entries say of the device.
func (d *device) words(entries []entry) map[string]int {
	words := make(map[string]int)
	for _, e := range entries {
		words[d.word(e)]++
	}
	return words
}

// logged reports whether the appliance has said something.
func (d *device) logged(what string) bool { return strings.Contains(d.scene.Appliance.Log(), what) }
