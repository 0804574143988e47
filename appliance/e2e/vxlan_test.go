package e2e

import (
	"bytes"
	"path/filepath"
	"testing"

	"github.com/clearspan/clearspan/hack/lab"
	"github.com/clearspan/clearspan/hack/scenetest"
	"github.com/clearspan/clearspan/mirror/mirrortest"
)

// TestVXLAN mirrors to a remote recorder, and to one that refuses.
func TestVXLAN(t *testing.T) {
	const outside = 14 + 20 + 8 + 8 // octets of Ethernet, IP, UDP and VXLAN header
	c := newScene(t, settings{
		Mirror: "  - {name: far, kind: vxlan, remote: " + lab.OriginV4 + ", vni: 42, full: block, mark: {vlan: 7}}\n" +
			"  - {name: deaf, kind: vxlan, remote: \"[" + lab.ClientV6 + "]:4789\", vni: 43}",
	})
	recorder, err := c.Origin.ListenPacket("udp", ":4789")
	if err != nil {
		t.Fatal(err)
	}
	defer recorder.Close()
	capture, err := lab.StartCapture(c.Origin, lab.OriginInterface, filepath.Join(c.Directory("far"), "far.pcap"))
	if err != nil {
		t.Fatal(err)
	}
	web := c.Nginx()
	page := c.Page(web, "page", 400_000)
	for range 3 {
		scenetest.Same(t, "page", c.Fetch("--http1.1", "https://"+webName+"/page").Content, page)
	}
	session := c.Chat(firstPort) // the one that does not listen is known by now
	c.AwaitLog(1, "vxlan remote refuses", "deaf")
	session.Exchange(10)
	session.End()
	c.Stop()
	if _, err := capture.Stop(); err != nil {
		t.Fatal(err)
	}

	frames, err := mirrortest.ReadFile(capture.File)
	if err != nil {
		t.Fatal(err)
	}
	var inner [][]byte
	for _, f := range frames {
		if len(f) > outside && bytes.Equal(f[outside-8:outside], []byte{8, 0, 0, 0, 0, 0, 42, 0}) {
			inner = append(inner, f[outside:])
			if len(f) > 1514 {
				t.Errorf("outer frame of %d octets", len(f))
			}
		}
	}
	path := mirrortest.WritePcap(t, inner)
	c.Account("far", c.ReadCapture(path))
	problems, err := c.Problems(path)
	if err != nil || len(problems) > 0 {
		t.Errorf("tshark objects: %.5q, %v", problems, err)
	}
	for _, look := range []struct {
		file, filter string
		want         int
	}{
		{capture.File, "vxlan.vni == 42 && vlan.id == 7", len(inner)},
		{path, "vlan.id == 7 && http.response.code == 200", 3},
	} {
		rows, err := lab.Fields(c.Ctx, look.file, look.filter, "frame.number")
		if err != nil || len(rows) != look.want {
			t.Errorf("%s: %d frames, %v, want %d", look.filter, len(rows), err, look.want)
		}
	}
	for _, e := range c.Entries() {
		relayed := e.Octets["client_to_origin"] + e.Octets["origin_to_client"]
		if m := e.Mirror["far"]; m.Lost != 0 || m.Octets != relayed {
			t.Errorf("far has %+v of %d octets", m, relayed)
		}
		m := e.Mirror["deaf"]
		if m.Octets+m.Lost != relayed {
			t.Errorf("deaf has %+v of %d octets", m, relayed)
		}
		if e.Ends() == scenetest.LocalPort(session.Conn) && (m.Lost == 0 || m.Reason != "no-reader") {
			t.Errorf("deaf is said to have taken %+v of %d octets", m, relayed)
		}
	}
}
