package mirror_test

import (
	"net/netip"
	"testing"

	"github.com/clearspan/clearspan/mirror"
	"github.com/clearspan/clearspan/mirror/mirrortest"
)

func TestBalance(t *testing.T) {
	const sinks, flows = 3, 3000
	var b mirror.Balance
	index := make(map[mirror.Sink]int)
	for i := range sinks {
		s := &mirrortest.Recorder{}
		b = append(b, s)
		index[s] = i
	}
	var count [sinks]int
	for i := range flows {
		client := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), uint16(40000+i/7))
		for _, origin := range []netip.AddrPort{flow4.Origin, flow6.Origin} {
			f := mirror.Flow{Client: client, Origin: origin}
			s := b.For(f)
			f.Client, f.Origin = f.Origin, f.Client
			if b.For(f) != s {
				t.Fatalf("%v: the way back goes elsewhere", f)
			}
			f.Client = netip.AddrPortFrom(netip.AddrFrom16(f.Client.Addr().As16()), f.Client.Port()) // mapped
			f.VLAN, f.ClientMAC = 7, [6]byte{2}
			if b.For(f) != s {
				t.Fatalf("%v: mapped address, tag or MAC make a difference", f)
			}
			count[index[s]]++
		}
	}
	for i, n := range count {
		if share := 2 * flows / sinks; n < share*9/10 || n > share*11/10 {
			t.Errorf("sink %d got %d of %d flows", i, n, 2*flows)
		}
	}
	one := mirror.Balance{b[1]}
	if one.For(flow4) != b[1] {
		t.Error("the only sink was not chosen")
	}
}
