package e2e

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/clearspan/clearspan/hack/lab"
	"github.com/clearspan/clearspan/hack/netlab"
)

// TestWirePassesCopies has a recorder see beside decrypted sessions what the wire
// passes: connections to other ports, and everything that is not TCP. Connections
// that a rule tunnels by address never reach the appliance, until a reload takes
// the rule away.
func TestWirePassesCopies(t *testing.T) {
	network, err := lab.NewInline(netlab.ForTest(t))
	if err != nil {
		t.Fatal(err)
	}
	c := &scene{T: t, Gateway: network} // for its helpers
	var stop func()
	c.ctx, stop = context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	if c.pki, err = lab.NewPKI(c.directory("pki")); err != nil {
		t.Fatal(err)
	}
	if c.cert, err = c.pki.Issue(webName, lab.OriginV4); err != nil {
		t.Fatal(err)
	}
	web := c.nginx()
	page := c.page(web, "page.bin", 200_000)
	c.dir = c.directory("box")
	name := fmt.Sprintf("copy-%d", os.Getpid())
	config := func(rules string) string {
		return fmt.Sprintf(`state: state
intake:
  - {name: %s, mode: wire, legs: [%s, %s], ports: [443, %d], stall: 5s}
origin: {roots: [%q]}
policy: {default: bump, rules: [%s]}
mirror:
  - {name: recorder, kind: interface, interface: %s, full: block, content: [decrypted, plain, other]}
audit: {file: sessions.jsonl}
admin: {listen: "off"}
`, name, lab.LANInterface, lab.WANInterface, lab.HTTP1Port, c.pki.RootFile, rules, lab.MirrorInterface)
	}
	const byAddress = `{name: clinic, origin: ["` + lab.OriginV6 + `/128"], action: tunnel}`
	if c.appliance, err = lab.StartAppliance(c.Box, c.dir, binary, config(byAddress)); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := c.appliance.Stop(); err != nil {
			t.Error(err)
		}
		c.clearspan("wire", "remove", name)
	}()
	c.awaitTaking(name)
	if c.capture, err = lab.StartCapture(c.Recorder, lab.RecorderInterface, filepath.Join(c.directory("recorder"), "mirror.pcap")); err != nil {
		t.Fatal(err)
	}
	ca := filepath.Join(c.dir, "state", "authority", "ca.crt")
	get := func(trusted, address, url string) {
		t.Helper()
		r, err := lab.Curl(c.ctx, c.Client, trusted, append(lab.Resolve(webName, address), "--http1.1", url)...)
		if err != nil || r.Stdout != string(page) {
			t.Errorf("%s at %s: %d octets of %d, %v\n%s", url, address, len(r.Stdout), len(page), err, r.Stderr)
		}
	}
	get(ca, lab.OriginV4, "https://"+webName+"/page.bin")
	get(c.pki.RootFile, lab.OriginV4, "http://"+webName+"/page.bin")
	get(c.pki.RootFile, lab.OriginV6, "https://"+webName+"/page.bin") // tunneled by address
	datagram, err := c.Client.Dial("udp", lab.OriginV4+":53")
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(datagram, "a datagram")
	datagram.Close()
	if out := c.clearspan("wire", "status", name); !strings.Contains(out, "exempt") {
		t.Errorf("status:\n%s", out)
	}
	c.awaitLines(1) // of what was decrypted

	// Without the rule the same connection is decrypted.
	if err := os.WriteFile(c.appliance.ConfigFile, []byte(config("")), 0o644); err != nil {
		t.Fatal(err)
	}
	c.clearspan("reload", "-c", c.appliance.ConfigFile)
	c.awaitLog(1, "reloaded")
	get(ca, lab.OriginV6, "https://"+webName+"/page.bin")
	c.awaitLines(2)
	if _, err := c.capture.Stop(); err != nil {
		t.Fatal(err)
	}

	conversations, err := lab.Conversations(c.ctx, c.capture.File)
	if err != nil {
		t.Fatal(err)
	}
	var seen []string
	for _, v := range conversations {
		if !v.Closed || v.OriginToClient < int64(len(page)) {
			t.Errorf("conversation %+v", v)
		}
		seen = append(seen, v.Origin)
	}
	slices.Sort(seen)
	want := []string{lab.OriginV4 + ":443", lab.OriginV4 + ":80", "[" + lab.OriginV6 + "]:443"}
	slices.Sort(want)
	if diff := cmp.Diff(want, seen); diff != "" {
		t.Errorf("recorded conversations (-want +got):\n%s", diff)
	}
	rows, err := lab.Fields(c.ctx, c.capture.File, "udp.dstport == 53 && !icmp", "udp.length")
	if err != nil || len(rows) != 1 {
		t.Errorf("datagrams recorded: %v, %v", rows, err)
	}
	objects, err := lab.ExportObjects(c.ctx, c.capture.File, "http", c.directory("objects"))
	if err != nil || len(objects) != 3 {
		t.Fatalf("exported %v, %v", objects, err)
	}
	for _, o := range objects {
		same(t, filepath.Base(o), c.readFile(o), page)
	}
	bad, err := lab.Fields(c.ctx, c.capture.File, "tcp.checksum.status == 0 || ip.checksum.status == 0 || udp.checksum.status == 0 || frame.len > 1514", "frame.number")
	if err != nil || len(bad) > 0 {
		t.Errorf("bad frames: %v, %v", bad, err)
	}
}

// awaitTaking waits until a wire takes connections.
func (c *scene) awaitTaking(name string) {
	c.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if strings.Contains(c.clearspan("wire", "status", name), "taking connections") {
			return
		}
	}
	c.Fatal("the wire takes no connections")
}

// awaitLines waits for so many audit entries, which come in their own time, and
// wants no more.
func (c *scene) awaitLines(want int) {
	c.Helper()
	n := 0
	for deadline := time.Now().Add(10 * time.Second); n < want && time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		text, err := os.ReadFile(filepath.Join(c.dir, "state", "sessions.jsonl"))
		if err != nil {
			c.Fatal(err)
		}
		n = strings.Count(string(text), "\n")
	}
	if n != want {
		c.Errorf("%d audit entries, want %d", n, want)
	}
}
