package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/clearspan/clearspan/hack/scenetest"
)

// TestReaders has a reader of pcap over IP that keeps up, as the manual says it,
// beside one that takes nothing, by both policies for slow readers.
func TestReaders(t *testing.T) {
	const (
		pages    = 14
		pageSize = 3 << 20 // all pages exceed a reader's queue and what its socket holds
	)
	for _, slow := range []string{"skip", "disconnect"} {
		t.Run(slow, func(t *testing.T) {
			const feed = "127.0.0.1:57012"
			c := newScene(t, settings{Blind: true, Mirror: `  - {name: live, kind: pcap-over-ip, listen: "` + feed + `", slow: ` + slow + `}`})
			web := c.Nginx()
			page := c.Page(web, "page", pageSize)
			dir := c.Directory("reader")
			copied, printed := filepath.Join(dir, "copy.pcap"), filepath.Join(dir, "printed")
			ctx, cancel := context.WithCancel(c.Ctx)
			defer cancel()
			fast := c.Box.Command(ctx, "sh", "-c", fmt.Sprintf("nc 127.0.0.1 57012 | tee %s | tcpdump -nr - > %s", copied, printed))
			if err := fast.Start(); err != nil {
				t.Fatal(err)
			}
			stuck, err := c.Box.Dial("tcp", feed)
			if err != nil {
				t.Fatal(err)
			}
			defer stuck.Close()
			c.AwaitLog(2, "reader joined")
			for i := range pages {
				scenetest.Same(t, "page", c.Fetch("--http1.1", "https://"+webName+"/page").Content, page)
				grown(t, copied, int64((i+1)*pageSize))
			}
			disconnected := strings.Count(c.Appliance.Log(), "reader too slow, disconnected")
			if (slow == "disconnect") != (disconnected == 1) {
				t.Errorf("%d readers disconnected", disconnected)
			}
			c.Stop()
			select {
			case <-fast.Done():
			case <-time.After(10 * time.Second):
				t.Fatal("the reader goes on without a feed")
			}
			c.Account("live", c.ReadCapture(copied))
			var frames uint64
			for _, e := range c.Entries() {
				m := e.Mirror["live"]
				if relayed := e.Octets["client_to_origin"] + e.Octets["origin_to_client"]; m.Octets != relayed || m.Lost != 0 {
					t.Errorf("live has %+v of %d octets", m, relayed)
				}
				frames += m.Frames
			}
			if n := strings.Count(string(c.ReadFile(printed)), "\n"); uint64(n) != frames || frames == 0 {
				t.Errorf("tcpdump printed %d frames of %d", n, frames)
			}
			if head := c.ReadFile(copied)[:4]; string(head) != "\xd4\xc3\xb2\xa1" {
				t.Errorf("the feed begins with %x, want classic pcap with microseconds", head)
			}
		})
	}
}

// grown waits until a file has at least so many octets.
func grown(t *testing.T, path string, size int64) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if info, err := os.Stat(path); err == nil && info.Size() >= size {
			return
		}
	}
	t.Fatalf("%s has not grown to %d octets", path, size)
}
