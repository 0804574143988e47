package inline

import (
	"bytes"
	"fmt"
	"io"
	"net/netip"
	"sync"
	"testing"
)

// TestParallel: many sessions at once, each with octets of its own; none gets those
// of another.
func TestParallel(t *testing.T) {
	const sessions = 1000
	b := newLab(t)
	b.bridge()
	b.open(func(c *Config) { c.Timeout = 30e9 })
	all := make([]*session, sessions)
	for i := range all {
		client, origin := client4, origin4
		if i%2 == 1 {
			client, origin = client6, origin6
		}
		// Many of one address and port, to different origins, and the reverse.
		to := origin.Addr().AsSlice()
		to[len(to)-1] = byte(i / 20)
		a, _ := netip.AddrFromSlice(to)
		all[i] = b.carry(b.Device, netip.AddrPortFrom(client.Addr(), uint16(30_000+i%20)), netip.AddrPortFrom(a, 443))
	}
	var wg sync.WaitGroup
	for i, s := range all {
		wg.Go(func() {
			marker := func(who string) []byte {
				return bytes.Repeat(fmt.Appendf(nil, "%s of session %d\n", who, i), 2000)
			}
			var both sync.WaitGroup
			for _, path := range []struct {
				from, to io.ReadWriter
				who      string
			}{{s.client, s.origin, "client"}, {s.origin, s.client, "origin"}} {
				both.Go(func() {
					path.from.Write(marker(path.who))
					path.from.(interface{ CloseWrite() error }).CloseWrite()
				})
				both.Go(func() {
					got, err := io.ReadAll(path.to)
					if !bytes.Equal(got, marker(path.who)) || err != nil {
						t.Errorf("session %d: %d octets of the %s, or others than sent: %.60q, %v", i, len(got), path.who, got, err)
					}
				})
			}
			both.Wait()
		})
	}
	wg.Wait()
	for _, s := range all {
		b.end(s, b.Device, Carried)
	}
	// Acknowledgements that were sent twice may be stray.
	if n := b.counter("unpaired") + b.counter("late"); n != 0 {
		all, _ := b.Counters()
		t.Errorf("frames without a session: %v", all)
	}
}
