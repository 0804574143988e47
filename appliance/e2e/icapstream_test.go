package e2e

import (
	"crypto/sha256"
	"crypto/tls"
	"io"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/clearspan/clearspan/hack/lab"
	"github.com/clearspan/clearspan/hack/scenetest"
	"github.com/clearspan/clearspan/hack/tempo"
)

// echoed has answers go through a service that gives back all octets of them. With
// a preview it would do so only every other time.
const echoed = `services:
  - {name: echo, kind: icap, url: "icap://127.0.0.1:1344/echo", mode: [respmod], preview: off, timeout: 60s, on_failure: closed}`

// TestICAPStreams has 64 sessions at a time download through a service that gives
// every octet back. Bodies stream: a session holds, whatever the length of its
// body, up to 256 KiB read and as much to be written on either leg, and for the
// service 64 KiB each that were read, that are kept for a failure and that are
// written, and 32 KiB on their way there: under 1.3 MiB, and twice that before the
// collector runs. With CLEARSPAN_ROUNDS of 5 the downloads are 1 GiB.
func TestICAPStreams(t *testing.T) {
	const (
		sessions = 64
		bound    = 2 * sessions * (1 << 20 * 13 / 10) // octets the process may grow by
	)
	size := 4 << 20 // in sum 256 MiB, more than bound
	if tempo.Rounds() > 1 {
		size = 16 << 20
	}
	c := newScene(t, settings{
		Blind: true, Plain: true, Full: "drop", Policy: "{default: bump, services: [echo]}", More: echoed,
		Prepare: prepared(func(c *scene) { c.icap() }), Lasts: 3 * time.Minute,
	})
	want := sha256.Sum256(c.Page(c.Nginx(), "large.bin", size))
	client := http.Client{Transport: &http.Transport{
		DialContext:       c.Client.DialContext,
		TLSClientConfig:   &tls.Config{RootCAs: c.Pool(c.CA), ServerName: webName},
		DisableKeepAlives: true, DisableCompression: true,
	}}
	before := c.Metrics()
	var all sync.WaitGroup
	for range sessions {
		all.Go(func() {
			r, err := client.Get("https://" + lab.OriginV4 + "/large.bin")
			if err != nil {
				t.Error(err)
				return
			}
			defer r.Body.Close()
			h := sha256.New()
			if n, err := io.Copy(h, r.Body); err != nil || n != int64(size) || [sha256.Size]byte(h.Sum(nil)) != want {
				t.Errorf("status %d, %d octets of %d, or others, %v", r.StatusCode, n, size, err)
			}
		})
	}
	done := make(chan struct{})
	go func() { all.Wait(); close(done) }()
	start, peak, most := time.Now(), 0.0, 0.0
	for over := false; !over; {
		m := c.Metrics()
		peak, most = max(peak, m[scenetest.ResidentMetric]), max(most, scenetest.Opened(m))
		select {
		case <-done:
			over = true
		case <-time.After(100 * time.Millisecond):
		}
	}
	grown := peak - before[scenetest.ResidentMetric]
	t.Logf("%d MiB through RESPMOD in %v, up to %v sessions at a time: resident %.1f MiB before, %.1f at most; grown by %.1f, allowed %.1f",
		sessions*size>>20, time.Since(start).Round(time.Millisecond), most, before[scenetest.ResidentMetric]/(1<<20), peak/(1<<20), grown/(1<<20), float64(bound)/(1<<20))
	if grown > bound {
		t.Error("memory is not bounded")
	}
	if most < sessions/2 {
		t.Errorf("at most %v sessions were open at a time", most)
	}
	before["process_open_fds"] += sessions // connections to the service are kept
	c.Quiet(before)
	c.Stop()
	words := make(map[string]int)
	for _, e := range c.Entries() {
		words[e.Service["echo"]]++
		if e.Octets["origin_to_client"] < uint64(size) {
			t.Errorf("session %s: %d octets", e.Session, e.Octets["origin_to_client"])
		}
	}
	if words["modified"] != sessions { // 200 with a body, never 204
		t.Errorf("entries say %v", words)
	}
}
