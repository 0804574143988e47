package decrypt

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"github.com/clearspan/clearspan/decrypt/starttls"
)

func TestUpgraders(t *testing.T) {
	var u upgraders
	now := time.Unix(1_800_000_000, 0)
	a, b := netip.MustParseAddrPort("192.0.2.1:25"), netip.MustParseAddrPort("192.0.2.2:5432")
	for i, step := range []struct {
		origin netip.AddrPort
		offer  starttls.Offer
		after  time.Duration
		want   string
	}{
		{a, starttls.Unknown, 0, ""},
		{a, starttls.Omitted, 0, ""},
		{a, starttls.Refused, 0, "refused"},
		{a, starttls.Garbled, 0, "stripped"},
		{a, starttls.Offered, 0, "offered"},
		{a, starttls.Omitted, time.Hour, "stripped"},
		{a, starttls.Refused, time.Hour, "stripped"},
		{a, starttls.Unknown, time.Hour, ""},
		{b, starttls.Omitted, time.Hour, ""},
		{b, starttls.Accepted, time.Hour, "used"},
		{b, starttls.Refused, time.Hour, "stripped"},
		{a, starttls.Omitted, 25 * time.Hour, ""},
	} {
		if got := u.judge(netip.MustParseAddr("10.0.0.1"), step.origin, step.offer, now.Add(step.after)).String(); got != step.want {
			t.Errorf("step %d: %q, want %q", i, got, step.want)
		}
	}
}

// TestUpgradersForAll: what one client met counts for others, and a client with many
// origins wipes none of it.
func TestUpgradersForAll(t *testing.T) {
	var u upgraders
	now := time.Unix(1_800_000_000, 0)
	good, bad := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")
	origin := netip.MustParseAddrPort("192.0.2.1:25")
	u.judge(good, origin, starttls.Offered, now)
	for i := range 3 * memoryEntries {
		var address [4]byte
		binary.BigEndian.PutUint32(address[:], uint32(i))
		u.judge(bad, netip.AddrPortFrom(netip.AddrFrom4(address), 25), starttls.Offered, now)
	}
	if got := u.judge(bad, origin, starttls.Omitted, now.Add(time.Hour)); got != StartTLSStripped {
		t.Errorf("judged to be %q", got)
	}
}
