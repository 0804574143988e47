package e2e

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"testing"
	"time"

	"github.com/clearspan/clearspan/hack/scenetest"
)

// TestICAPLarge sends bodies of no announced length, far longer than a preview, in pieces
// with pauses, through a service that returns what it gets. The origin gets every octet.
func TestICAPLarge(t *testing.T) {
	c := newScene(t, settings{
		Policy:  "{default: bump, services: [echo]}",
		More:    "services:\n  - {name: echo, kind: icap, url: \"icap://127.0.0.1:1344/echo\", timeout: 20s, on_failure: closed}",
		Prepare: prepared(func(c *scene) { c.icap() }),
	})
	c.slowOrigin(c.Directory("git"))
	const site = "https://" + scenetest.WebName + ":7443"
	const rounds = 20
	for _, two := range []bool{false, true} {
		client := c.slowClient(two)
		for i := range rounds {
			body, w := io.Pipe()
			h := sha256.New()
			n := 0
			go func() {
				random := rand.New(rand.NewPCG(uint64(i), 1))
				p := make([]byte, 64<<10)
				for n < 300_000 {
					part := p[:1+random.IntN(len(p))]
					for k := range part {
						part[k] = byte(random.Uint32())
					}
					n += len(part)
					h.Write(part)
					w.Write(part)
					if random.IntN(4) == 0 {
						time.Sleep(time.Duration(random.IntN(30)) * time.Millisecond)
					}
				}
				w.Close()
			}()
			request, err := http.NewRequestWithContext(c.Ctx, http.MethodPost, site+"/sum", body)
			if err != nil {
				t.Fatal(err)
			}
			r, err := client.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(r.Body)
			r.Body.Close()
			if want := fmt.Sprint(n, " ", hex.EncodeToString(h.Sum(nil))); err != nil || string(got) != want {
				t.Errorf("HTTP/2 %v, %d: origin got %s, %v; want %s", two, i, got, err, want)
			}
		}
	}
}
