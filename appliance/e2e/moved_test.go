package e2e

import (
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/clearspan/clearspan/hack/lab"
	"github.com/clearspan/clearspan/hack/scenetest"
)

// TestListenersMove has an intake and the certificate page move from one address of the box
// to every address, and back, by reloads and with an upgrade between them. Clients of the
// address that all have meet no refusal.
func TestListenersMove(t *testing.T) {
	const at, page = lab.BoxLANV4 + ":8443", lab.BoxLANV4 + ":8091"
	intake := func(listen string) string {
		return `{name: fixed, mode: static, listen: "` + listen + `", origin: "` + lab.OriginV4 + `:443"}`
	}
	c := newScene(t, settings{Intake: intake(at), More: `authority: {publish: "` + page + `"}`, Blind: true})
	load := &load{page: c.Page(c.Nginx(), "page.bin", 20_000), roots: c.Pool(c.CA), to: at}
	stop := load.start(c)
	pages := c.again(func() error {
		client := http.Client{Transport: &http.Transport{DialContext: c.Client.DialContext, DisableKeepAlives: true}}
		r, err := client.Get("http://" + page + "/")
		if err != nil {
			return err
		}
		defer r.Body.Close()
		if _, err := io.Copy(io.Discard, r.Body); err != nil || r.StatusCode != http.StatusOK {
			return fmt.Errorf("%s, %v", r.Status, err)
		}
		return nil
	})
	load.more(t, 5)
	before, publish := at, page
	for i, to := range []string{":8443", at, "0.0.0.0:8443", "[::]:8443", at} {
		also := page
		if to != at {
			also = ":8091"
		}
		c.rewrite(intake(before), intake(to))
		c.rewrite(`publish: "`+publish+`"`, `publish: "`+also+`"`)
		before, publish = to, also
		worker := c.Appliance.Worker()
		c.Clearspan("reload", "-c", c.Appliance.ConfigFile)
		scenetest.Eventually(t, "another worker listens at "+to, func() bool { return c.Appliance.Worker() != worker })
		if i == 0 {
			c.Clearspan("upgrade", "-c", c.Appliance.ConfigFile, "--binary", scenetest.Binary)
		}
		load.more(t, 5)
	}
	stop()
	if n := load.failed.Load(); n > 0 {
		t.Errorf("%d of %d sessions failed, first: %v", n, load.done.Load(), load.first)
	}
	done, failed, first := pages()
	if failed > 0 || done == 0 {
		t.Errorf("%d of %d requests of the page failed, first: %v", failed, done, first)
	}
	t.Logf("%d sessions, %d pages", load.done.Load(), done)
}

// again does something over and over until the function returned is called, which counts.
func (c *scene) again(do func() error) func() (done, failed int, first error) {
	var end atomic.Bool
	var done, failed int
	var first error
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for !end.Load() {
			done++
			if err := do(); err != nil {
				if failed++; first == nil {
					first = err
				}
			}
		}
	}()
	stop := func() { end.Store(true); <-ended }
	c.Cleanup(stop)
	return func() (int, int, error) { stop(); return done, failed, first }
}
