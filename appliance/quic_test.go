package appliance

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/clearspan/clearspan/appliance/config"
	"github.com/clearspan/clearspan/appliance/intake"
	"github.com/clearspan/clearspan/hack/quicclient"
	"github.com/clearspan/clearspan/hack/tempo"
)

// TestQUICEntries: a flood of flows has few entries, and all of them when it is over.
func TestQUICEntries(t *testing.T) {
	var q quicFlows
	now := time.Unix(1000, 0)
	count := func(n int) (written int) {
		for range n {
			if q.affords(now) {
				written++
			}
		}
		return written
	}
	if got := count(5000); got != quicBurst {
		t.Errorf("%d entries at once, want %d", got, quicBurst)
	}
	now = now.Add(2 * time.Second)
	if got := count(5000); got != 2*quicEntries {
		t.Errorf("%d entries within 2 s, want %d", got, 2*quicEntries)
	}
	now = now.Add(-time.Hour)
	if got := count(10); got != 0 {
		t.Errorf("%d entries when the clock goes back", got)
	}
	now = now.Add(time.Hour)
	if got := count(5000); got != quicBurst {
		t.Errorf("%d entries after an hour, want %d", got, quicBurst)
	}
}

// TestQUICVerdicts asks for verdicts as an intake does: policy decides where QUIC
// passes, everything is refused where it is blocked, and a flood of made-up clients does
// not fill the trail.
func TestQUICVerdicts(t *testing.T) {
	dir := t.TempDir()
	yaml := fmt.Sprintf(box, "192.0.2.1:443", "bump, rules: [{name: evil, host: [evil.test], action: terminate}]")
	a, err := New(parse(t, dir, yaml), "test", nil)
	if err != nil {
		t.Fatal(err)
	}
	passes := a.peekQUIC(config.Intake{Name: "open", QUIC: config.PassQUIC})
	blocks := a.peekQUIC(config.Intake{Name: "shut", QUIC: config.BlockQUIC})
	startNew(t, a)
	from, to := netip.MustParseAddrPort("192.0.2.2:50000"), netip.MustParseAddrPort("192.0.2.1:443")
	datagrams := func(name string) [][]byte {
		h, err := quicclient.Hello(name, "h3")
		if err != nil {
			t.Fatal(err)
		}
		return quicclient.Datagrams([]byte(name), h, 2)
	}
	for i, tt := range []struct {
		name string
		ask  func(client, origin netip.AddrPort, payload []byte) intake.QUICVerdict
		want intake.QUICVerdict
	}{
		{"good.test", passes, intake.QUICPass}, {"evil.test", passes, intake.QUICRefuse},
		{"good.test", blocks, intake.QUICRefuse}, {"evil.test", blocks, intake.QUICRefuse},
	} {
		from := netip.AddrPortFrom(from.Addr(), from.Port()+uint16(i))
		two := datagrams(tt.name)
		if got := tt.ask(from, to, two[1]); got != intake.QUICUndecided {
			t.Errorf("%s: verdict %d after the first datagram", tt.name, got)
		}
		if got := tt.ask(from, to, two[0]); got != tt.want {
			t.Errorf("%s: verdict %d, want %d", tt.name, got, tt.want)
		}
	}
	trail := func() []byte {
		text, err := os.ReadFile(filepath.Join(dir, "state", "sessions.jsonl"))
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	tempo.Until(t, "four entries", func() bool { return bytes.Count(trail(), []byte("\n")) == 4 })
	for _, words := range []string{
		`"intake":"open"`, `"sni":"good.test"`, `"transport":"quic"`, `"rule":"evil","action":"terminate"`,
		`"outcome":"terminated","reason":"quic-blocked"`, `"outcome":"tunneled"`, `"ja4":"q13d`,
	} {
		if !bytes.Contains(trail(), []byte(words)) {
			t.Errorf("no %s in the trail:\n%s", words, trail())
		}
	}
	// A client that never ends its hello is judged when its time is over.
	if got := passes(netip.AddrPortFrom(from.Addr(), 60000), to, datagrams("half.test")[0]); got != intake.QUICUndecided {
		t.Errorf("half a hello: verdict %d", got)
	}
	tempo.Until(t, "an entry of half a hello", func() bool { return bytes.Contains(trail(), []byte(`"reason":"quic-unjudged"`)) })

	garbage := bytes.Clone(datagrams("good.test")[0])
	garbage[len(garbage)-1] ^= 1
	for i := range 20_000 {
		made := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 50000)
		if got := blocks(made, to, garbage); got != intake.QUICRefuse {
			t.Fatalf("garbage: verdict %d", got)
		}
	}
	unwritten := a.quic.unwritten.Load()
	tempo.Until(t, "the entries of the flood", func() bool {
		return uint64(bytes.Count(trail(), []byte("\n")))+unwritten == 20_005
	})
	if unwritten < 10_000 {
		t.Errorf("%d entries of a flood of 20,000 were left out", unwritten)
	}
}
