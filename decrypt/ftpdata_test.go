package decrypt

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"github.com/clearspan/clearspan/decrypt/policy"
)

func TestAnnouncements(t *testing.T) {
	var x announcements
	now := time.Unix(1_800_000_000, 0)
	client := netip.MustParseAddr("198.51.100.2")
	to := netip.MustParseAddrPort("192.0.2.10:40001")
	in := &Incoming{Client: netip.MustParseAddrPort("[::ffff:198.51.100.2]:50000"), Origin: netip.MustParseAddrPort("[::ffff:192.0.2.10]:40001")}
	if x.find(in, now, true) != nil {
		t.Error("expected without an announcement")
	}
	x.add(flowKey{client, to}, &announcedConn{session: "a"}, now)
	if d := x.find(in, now, false); d == nil || d.session != "a" {
		t.Errorf("found %+v", d)
	}
	if x.find(in, now, true) == nil || x.find(in, now, true) != nil {
		t.Error("not expected exactly once")
	}
	x.add(flowKey{client, to}, &announcedConn{}, now)
	if x.find(in, now.Add(announcedFor+1), false) != nil {
		t.Error("expected for too long")
	}
	for i := range 3 * announcedEntries {
		var address [4]byte
		binary.BigEndian.PutUint32(address[:], uint32(i))
		x.add(flowKey{client, netip.AddrPortFrom(netip.AddrFrom4(address), 20)}, &announcedConn{}, now)
	}
	if len(x.entries) > announcedEntries {
		t.Errorf("%d entries", len(x.entries))
	}
	x.add(flowKey{to.Addr(), to}, &announcedConn{}, now.Add(2*announcedFor))
	if len(x.entries) > 1 {
		t.Errorf("%d entries outlived their time", len(x.entries))
	}
}

// Nobody can have a connection to a third party taken for a data connection.
func TestAnnounced(t *testing.T) {
	client, origin := netip.MustParseAddr("198.51.100.2"), netip.MustParseAddr("192.0.2.10")
	for _, tt := range []struct {
		name           string
		action         policy.Action
		command, reply string
		want           map[flowKey]bool // active
	}{
		{"PASV", policy.Bump, "PASV\r\n", "227 (192,0,2,10,4,1)\r\n", map[flowKey]bool{{client, netip.AddrPortFrom(origin, 1025)}: false}},
		{"PASV behind NAT, or elsewhere", policy.Bump, "PASV\r\n", "227 (10,0,0,1,4,1)\r\n", map[flowKey]bool{{client, netip.AddrPortFrom(origin, 1025)}: false}},
		{"EPSV", policy.Bump, "EPSV\r\n", "229 (|||1025|)\r\n", map[flowKey]bool{{client, netip.AddrPortFrom(origin, 1025)}: false}},
		{"PORT", policy.Bump, "PORT 198,51,100,2,4,1\r\n", "200 ok\r\n", map[flowKey]bool{{origin, netip.AddrPortFrom(client, 1025)}: true}},
		{"PORT elsewhere", policy.Bump, "PORT 198,51,100,3,4,1\r\n", "200 ok\r\n", nil},
		{"port of a service", policy.Bump, "PASV\r\nPORT 198,51,100,2,0,22\r\n", "227 (192,0,2,10,3,255)\r\n", nil},
		{"not to be opened", policy.Tunnel, "PASV\r\n", "227 (192,0,2,10,4,1)\r\n", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := &session{decision: decision{engine: new(Engine), in: new(Incoming), account: &Session{
				ID: "control", Client: netip.AddrPortFrom(client, 50000), Origin: netip.AddrPortFrom(origin, 21), Decision: policy.Decision{Action: tt.action},
			}}}
			s.watch(true)
			s.count(ClientToOrigin, []byte(tt.command), true)
			s.count(OriginToClient, []byte(tt.reply), false)
			if len(s.engine.announced.entries) != len(tt.want) {
				t.Errorf("%d expected, want %d", len(s.engine.announced.entries), len(tt.want))
			}
			for e, active := range tt.want {
				d := s.engine.announced.entries[e]
				if d == nil || d.active != active || d.session != "control" || !d.protected {
					t.Errorf("for %v: %+v", e, d)
				}
			}
		})
	}
}

// A data connection that no rule is for is treated as its control session is.
func TestDecideForData(t *testing.T) {
	control := policy.Decision{Rule: "ftp", Action: policy.Bump}
	for _, own := range []policy.Decision{{Rule: policy.Default, Action: policy.Terminate}, {Rule: "ports", Action: policy.Tunnel}} {
		want := own
		if own.Rule == policy.Default {
			want = control
		}
		d := decision{engine: &Engine{cfg: Config{Policy: decided(own)}}, in: new(Incoming), account: new(Session), data: &announcedConn{decision: control}}
		if d.ask(d.facts()); d.account.Decision != want {
			t.Errorf("own decision %+v: treated by %+v", own, d.account.Decision)
		}
	}
}

type decided policy.Decision

func (d decided) Decide(*policy.Facts) policy.Decision { return policy.Decision(d) }
