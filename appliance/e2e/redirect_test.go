package e2e

import (
	"net/netip"
	"testing"

	"github.com/clearspan/clearspan/hack/lab"
)

// TestRedirect takes connections by address translation: decrypted like any
// other, but the origin sees the box.
func TestRedirect(t *testing.T) {
	c := newScene(t, settings{
		Intake: `{name: nat, mode: redirect, listen: ":8098", from: [` + lab.LANInterface + `], ports: [443]}`,
	})
	web := c.Nginx()
	page := c.Page(web, "page.bin", 20_000)
	for _, address := range []string{lab.OriginV4, lab.OriginV6} {
		r, err := lab.Curl(c.Ctx, c.Client, c.CA, append(lab.Resolve(webName, address), "https://"+webName+"/page.bin")...)
		if err != nil || r.Stdout != string(page) {
			t.Errorf("%s: got %d octets of %d, %v", address, len(r.Stdout), len(page), err)
		}
	}
	c.Stop()
	entries := c.Entries()
	if len(entries) != 2 {
		t.Fatalf("%d entries, want 2", len(entries))
	}
	for i, origin := range []string{lab.OriginV4, lab.OriginV6} {
		e := entries[i]
		if e.Intake != "nat" || e.Outcome != "bumped" || e.Origin != netip.AddrPortFrom(netip.MustParseAddr(origin), 443) {
			t.Errorf("entry %+v", e)
		}
	}
}
