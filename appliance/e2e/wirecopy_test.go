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
	"github.com/clearspan/clearspan/hack/scenetest"
)

// TestWirePassesCopies has a recorder see beside decrypted sessions what the wire
// passes: connections to other ports, and everything that is not TCP. Connections
// that a rule tunnels by address never reach the appliance, until a reload takes
// the rule away.
func TestWirePassesCopies(t *testing.T) {
	scenetest.Together(t)
	network, err := lab.NewInline(netlab.ForTest(t))
	if err != nil {
		t.Fatal(err)
	}
	c := &scene{Scene: &scenetest.Scene{T: t, Gateway: network}} // for its helpers
	var stop func()
	c.Ctx, stop = context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	if c.PKI, err = lab.NewPKI(c.Directory("pki")); err != nil {
		t.Fatal(err)
	}
	if c.Cert, err = c.PKI.Issue(webName, lab.OriginV4); err != nil {
		t.Fatal(err)
	}
	web := c.Nginx()
	page := c.Page(web, "page.bin", 200_000)
	c.Dir = c.Directory("box")
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
`, name, lab.LANInterface, lab.WANInterface, lab.HTTP1Port, c.PKI.RootFile, rules, lab.MirrorInterface)
	}
	const byAddress = `{name: clinic, origin: ["` + lab.OriginV6 + `/128"], action: tunnel}`
	if c.Appliance, err = lab.StartAppliance(c.Box, c.Dir, scenetest.Binary, config(byAddress)); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := c.Appliance.Stop(); err != nil {
			t.Error(err)
		}
		c.Clearspan("wire", "remove", name)
	}()
	c.AwaitTaking(name)
	if c.Capture, err = lab.StartCapture(c.Recorder, lab.RecorderInterface, filepath.Join(c.Directory("recorder"), "mirror.pcap")); err != nil {
		t.Fatal(err)
	}
	ca := filepath.Join(c.Dir, "state", "authority", "ca.crt")
	get := func(trusted, address, url string) {
		t.Helper()
		r, err := lab.Curl(c.Ctx, c.Client, trusted, append(lab.Resolve(webName, address), "--http1.1", url)...)
		if err != nil || r.Stdout != string(page) {
			t.Errorf("%s at %s: %d octets of %d, %v\n%s", url, address, len(r.Stdout), len(page), err, r.Stderr)
		}
	}
	get(ca, lab.OriginV4, "https://"+webName+"/page.bin")
	get(c.PKI.RootFile, lab.OriginV4, "http://"+webName+"/page.bin")
	get(c.PKI.RootFile, lab.OriginV6, "https://"+webName+"/page.bin") // tunneled by address
	datagram, err := c.Client.Dial("udp", lab.OriginV4+":53")
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(datagram, "a datagram")
	datagram.Close()
	if out := c.Clearspan("wire", "status", name); !strings.Contains(out, "exempt") {
		t.Errorf("status:\n%s", out)
	}
	c.awaitLines(1) // of what was decrypted

	// Without the rule the same connection is decrypted.
	if err := os.WriteFile(c.Appliance.ConfigFile, []byte(config("")), 0o644); err != nil {
		t.Fatal(err)
	}
	c.Clearspan("reload", "-c", c.Appliance.ConfigFile)
	c.AwaitLog(1, "reloaded")
	get(ca, lab.OriginV6, "https://"+webName+"/page.bin")
	c.awaitLines(2)
	if _, err := c.Capture.Stop(); err != nil {
		t.Fatal(err)
	}

	conversations, err := lab.Conversations(c.Ctx, c.Capture.File)
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
	rows, err := lab.Fields(c.Ctx, c.Capture.File, "udp.dstport == 53 && !icmp", "udp.length")
	if err != nil || len(rows) != 1 {
		t.Errorf("datagrams recorded: %v, %v", rows, err)
	}
	// Copies come as the frames passed. On a busy machine Linux passes some out of order.
	objects, err := lab.ExportObjects(c.Ctx, c.Capture.File, "http", c.Directory("objects"), "-o", "tcp.reassemble_out_of_order:TRUE")
	if err != nil || len(objects) != 3 {
		t.Fatalf("exported %v, %v", objects, err)
	}
	for _, o := range objects {
		scenetest.Same(t, filepath.Base(o), c.ReadFile(o), page)
	}
	bad, err := lab.Fields(c.Ctx, c.Capture.File, "tcp.checksum.status == 0 || ip.checksum.status == 0 || udp.checksum.status == 0 || frame.len > 1514", "frame.number")
	if err != nil || len(bad) > 0 {
		t.Errorf("bad frames: %v, %v", bad, err)
	}
}

// awaitLines waits for so many audit entries, which come in their own time, and
// wants no more.
func (c *scene) awaitLines(want int) {
	c.Helper()
	n := 0
	for deadline := time.Now().Add(10 * time.Second); n < want && time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		text, err := os.ReadFile(filepath.Join(c.Dir, "state", "sessions.jsonl"))
		if err != nil {
			c.Fatal(err)
		}
		n = strings.Count(string(text), "\n") - strings.Count(string(text), `"outcome":"dropped"`) // about frames
	}
	if n != want {
		c.Errorf("%d audit entries, want %d", n, want)
	}
}
