package alone

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/clearspan/clearspan/hack/netlab"
	"github.com/clearspan/clearspan/hack/scenetest"
	"github.com/clearspan/clearspan/mirror/mirrortest"
)

// TestStorageFull fills the storage of one of two capture directories.
func TestStorageFull(t *testing.T) {
	mount := t.TempDir()
	resize := func(flags uintptr, size string) {
		if err := unix.Mount("tmpfs", mount, "tmpfs", flags, "size="+size); err != nil {
			t.Fatalf("mount storage: %v", err)
		}
	}
	netlab.ForTest(t) // skips without privileges; a mount asks for the same
	resize(0, "8m")
	t.Cleanup(func() {
		if err := unix.Unmount(mount, 0); err != nil {
			t.Errorf("unmount storage: %v", err)
		}
	})
	c := newScene(t, settings{Mirror: "  - {name: small, kind: pcapng, directory: " + mount + "/pcap, full: block}"})
	web := c.Nginx()
	page := c.Page(web, "page", 100_000)
	spanning := c.Chat(41001)
	spanning.Exchange(400)
	c.AwaitLog(1, "capture storage failed", "small")
	spanning.Exchange(10)
	full := c.Fetch("https://" + webName + "/page")
	scenetest.Same(t, "page while the storage is full", full.Content, page)
	resize(unix.MS_REMOUNT, "200m")
	c.AwaitLog(1, "capture storage works again", "small")
	spanning.Exchange(10)
	spanning.End()
	again := c.Fetch("https://" + webName + "/page")
	scenetest.Same(t, "page with room again", again.Content, page)
	c.Stop()

	entries := c.Entries()
	const round = 2 * 16 << 10
	if m := c.EntryOf(entries, scenetest.LocalPort(spanning.Conn)).Mirror["small"]; m.Lost < 10*round || m.Octets < 10*round || m.Reason != "storage" {
		t.Errorf("session that spans the failure: %+v", m)
	}
	if m := c.EntryOf(entries, full.Ends).Mirror["small"]; m.Octets != 0 || m.Lost == 0 || m.Reason != "storage" {
		t.Errorf("session while the storage was full: %+v", m)
	}
	if m := c.EntryOf(entries, again.Ends).Mirror["small"]; m.Octets == 0 || m.Lost != 0 {
		t.Errorf("session with room again: %+v", m)
	}
	for _, e := range entries {
		for _, sink := range []string{"recorder", "files"} {
			if m := e.Mirror[sink]; m.Lost != 0 {
				t.Errorf("%s lost %d octets (%s), its storage was never full", sink, m.Lost, m.Reason)
			}
		}
	}
	// A conversation may go on in the next file.
	files, err := os.ReadDir(filepath.Join(mount, "pcap"))
	if err != nil || len(files) < 2 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	analyzer := mirrortest.NewAnalyzer(mirrortest.Options{HashOnly: true})
	for _, f := range files {
		if filepath.Ext(f.Name()) != ".pcapng" {
			t.Errorf("unfinished capture %s", f.Name())
		}
		file, err := os.Open(filepath.Join(mount, "pcap", f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if err := mirrortest.EachFrame(file, analyzer.Add); err != nil {
			t.Errorf("%s: %v", f.Name(), err)
		}
		file.Close()
	}
	recorded, stray := analyzer.Finish()
	for _, v := range recorded {
		for _, f := range v.Findings {
			t.Errorf("%s: %v", v.Client, f)
		}
		if m := c.EntryOf(entries, scenetest.Between(v.Client.Port(), v.Origin.Port())).Mirror["small"]; scenetest.Missing(v) != m.Lost {
			t.Errorf("%s: gaps of %d octets, %d lost", v.Client, scenetest.Missing(v), m.Lost)
		}
	}
	if len(stray) > 0 {
		t.Error(stray)
	}
	c.Account("small", recorded)
}

// TestStalledReader has a reader of pcap-over-IP that takes nothing.
func TestStalledReader(t *testing.T) {
	const feed = "127.0.0.1:57012"
	c := newScene(t, settings{Blind: true, Mirror: `  - {name: live, kind: pcap-over-ip, listen: "` + feed + `"}`})
	web := c.Nginx()
	page := c.Page(web, "page", 24<<20)
	load := func() (ends, time.Duration) {
		start := time.Now()
		x := c.Fetch("--http1.1", "https://"+webName+"/page")
		scenetest.Same(t, "page", x.Content, page)
		return x.Ends, time.Since(start)
	}
	before, usual := load()
	reader, err := c.Box.Dial("tcp", feed)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	c.AwaitLog(1, "reader joined")
	stalled, took := load()
	if took > 3*usual+2*time.Second {
		t.Errorf("a download took %v, without the reader %v", took, usual)
	}
	reader.Close()
	c.Stop()
	entries := c.Entries()
	if m := c.EntryOf(entries, before).Mirror["live"]; m.Octets != 0 || m.Reason != "no-reader" {
		t.Errorf("without a reader: %+v", m)
	}
	m := c.EntryOf(entries, stalled).Mirror["live"]
	if m.Octets == 0 || m.Lost == 0 || m.Reason != "queue-full" {
		t.Errorf("with a stalled reader: %+v", m)
	}
	for _, e := range entries {
		m := e.Mirror["live"]
		if relayed := e.Octets["client_to_origin"] + e.Octets["origin_to_client"]; relayed != m.Octets+m.Lost {
			t.Errorf("%d octets relayed, %d framed and %d lost", relayed, m.Octets, m.Lost)
		}
	}
}
