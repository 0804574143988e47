package learn

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/clearspan/clearspan/decrypt/policy"
)

var usual = Options{
	Pinned: Tunnel, ClientCertificate: Tunnel, FailedOrigin: Tunnel, NarrowOffer: Tunnel,
	PinnedFor: 24 * time.Hour, ClientCertificateFor: 24 * time.Hour, FailedOriginFor: time.Hour, NarrowOfferFor: time.Hour,
	After: 3, Within: time.Hour,
}

// desk is a table with a clock that stands still.
type desk struct {
	*Table
	clock time.Time
	log   bytes.Buffer
}

func newDesk(change func(*Options)) *desk {
	o := usual
	if change != nil {
		change(&o)
	}
	d := &desk{clock: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	d.Table = New(o, Config{Now: func() time.Time { return d.clock }, Logger: slog.New(slog.NewTextHandler(&d.log, nil))})
	return d
}

// facts of a session of a client to a name at an address.
func facts(client, sni, origin string) *policy.Facts {
	f := &policy.Facts{TLS: true, Client: netip.AddrPortFrom(netip.MustParseAddr(client), 50000), SNI: sni}
	if addr, err := netip.ParseAddrPort(origin); err == nil {
		f.Origin = addr
	} else {
		name, _, _ := strings.Cut(origin, ":")
		f.Host, f.Origin = name, netip.MustParseAddrPort("203.0.113.1:443")
	}
	return f
}

var bump = policy.Decision{Rule: "default"}

// refuse has a client refuse n times, and reports whether it is tunneled now.
func (d *desk) refuse(n int, f *policy.Facts) bool {
	tunnel := false
	for range n {
		tunnel = d.Learn(Pinned, f, bump, "unknown_ca")
	}
	return tunnel
}

const (
	alice, bob = "192.0.2.1", "192.0.2.2"
	site       = "www.example.test"
	there      = "198.51.100.1:443"
)

func TestPinnedClient(t *testing.T) {
	d := newDesk(nil)
	f := facts(alice, site, there)
	if d.refuse(2, f) || d.Recall(f, nil) != "" {
		t.Error("learned too early")
	}
	if !d.refuse(1, f) || d.Recall(f, nil) != Pinned {
		t.Error("not learned")
	}
	if !strings.Contains(d.log.String(), "level=WARN") || !strings.Contains(d.log.String(), "host="+site) {
		t.Errorf("log: %s", d.log.String())
	}
	for _, other := range []struct {
		what string
		f    *policy.Facts
		want Lesson
	}{
		{"another client", facts(bob, site, there), ""},
		{"another host", facts(alice, "mail.example.test", there), ""},
		{"a name that is a pretence", facts(alice, site, "198.51.100.66:443"), ""},
		{"another port", facts(alice, site, "198.51.100.1:8443"), ""},
		{"by a proxy's name", facts(alice, site, site+":443"), ""},
		{"other letters", facts(alice, "WWW.Example.test.", there), Pinned},
		{"another form of the addresses", facts("::ffff:"+alice, site, "[::ffff:198.51.100.1]:443"), Pinned},
	} {
		if got := d.Recall(other.f, nil); got != other.want {
			t.Errorf("%s: %q", other.what, got)
		}
	}
	// One refusal is enough where the host has proven itself once more.
	second := facts(alice, site, "198.51.100.2:443")
	if !d.refuse(1, second) || d.Recall(second, nil) != Pinned || d.Recall(f, nil) != Pinned {
		t.Error("a second address of the host is not learned")
	}
	d.clock = d.clock.Add(24*time.Hour - 1)
	if d.Recall(f, nil) != Pinned {
		t.Error("over too early")
	}
	d.clock = d.clock.Add(1)
	if d.Recall(f, nil) != "" || len(d.List()) != 0 {
		t.Error("does not expire")
	}
	if d.refuse(2, f) || !d.refuse(1, f) {
		t.Error("is not learned anew")
	}
}

func TestRefusalsInTime(t *testing.T) {
	d := newDesk(nil)
	f := facts(alice, site, there)
	for i := range 6 {
		if d.refuse(1, f) {
			t.Errorf("learned at refusal %d, half an hour apart", i+1)
		}
		d.clock = d.clock.Add(31 * time.Minute)
	}
	d.clock = d.clock.Add(-30 * time.Minute)
	if !d.refuse(1, f) {
		t.Error("three within an hour are not enough")
	}
}

// TestClosedAndAccepted: refusals without an alert do not count of a client that
// accepts the leaf as well.
func TestClosedAndAccepted(t *testing.T) {
	d := newDesk(nil)
	f := facts(alice, site, there)
	for range 5 {
		for range 2 {
			if d.Learn(Pinned, f, bump, Closed) {
				t.Fatal("learned")
			}
		}
		d.Accepted(f)
	}
	d.refuse(2, f)
	d.Accepted(f)
	if !d.refuse(1, f) {
		t.Error("alerts are taken back, too")
	}
}

func TestActions(t *testing.T) {
	f := facts(alice, site, there)
	rule := func(word string) policy.Decision { return policy.Decision{Treatment: &policy.Treatment{Learn: word}} }
	for _, tt := range []struct {
		name         string
		global, rule string
		entries      int
		tunnels      bool
	}{
		{"off", "off", "", 0, false},
		{"alert", "alert", "", 1, false},
		{"tunnel", "tunnel", "", 1, true},
		{"rule opts in", "alert", "tunnel", 1, true},
		{"rule opts out", "tunnel", "off", 0, false},
		{"rule has it told", "tunnel", "alert", 1, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := newDesk(func(o *Options) { o.Pinned = Action(tt.global) })
			decision := rule(tt.rule)
			for range 3 {
				d.Learn(Pinned, f, decision, "unknown_ca")
			}
			if n := len(d.List()); n != tt.entries {
				t.Errorf("%d entries", n)
			}
			if got := d.Recall(f, decision.Treatment); (got == Pinned) != tt.tunnels {
				t.Errorf("recalled %q", got)
			}
			if tt.entries == 0 {
				return
			}
			// An operator's word holds where the lesson only alerts.
			id := d.List()[0].ID
			if !d.Keep(id, true) || d.Recall(f, decision.Treatment) != Pinned || d.Recall(f, &policy.Treatment{Learn: "off"}) != "" {
				t.Error("kept: not as the operator wants it")
			}
			d.clock = d.clock.Add(1000 * time.Hour)
			if d.Recall(f, decision.Treatment) != Pinned {
				t.Error("kept, and yet forgotten")
			}
			d.Keep(id, false)
			d.clock = d.clock.Add(24 * time.Hour)
			if d.Recall(f, decision.Treatment) != "" || d.Keep(id, true) || d.Delete(id) {
				t.Error("no longer kept, and does not expire")
			}
		})
	}
}

// TestScopeHost: one client, or one network's many addresses, open nothing for
// others.
func TestScopeHost(t *testing.T) {
	d := newDesk(func(o *Options) { o.Scope = Host })
	if d.refuse(50, facts(alice, site, there)) {
		t.Error("learned of one client")
	}
	for i := range 50 {
		if d.refuse(1, facts(fmt.Sprintf("2001:db8::%x", i+1), site, there)) && i > 0 {
			t.Error("learned of one network")
		}
	}
	if len(d.List()) != 0 {
		t.Fatal("learned of two clients")
	}
	if !d.refuse(1, facts(bob, site, there)) || d.Recall(facts("192.0.2.99", site, there), nil) != Pinned {
		t.Error("not learned of three clients")
	}
	if d.Recall(facts("192.0.2.99", site, "198.51.100.66:443"), nil) != "" {
		t.Error("learned for every destination")
	}
}

// TestAttacker: a client opens nothing for others, and floods nothing but its own
// share.
func TestAttacker(t *testing.T) {
	d := newDesk(func(o *Options) { o.Entries, o.ClientEntries = 50, 10 })
	mine := facts(alice, site, there)
	d.refuse(3, mine)
	for i := range 1000 {
		d.refuse(3, facts(fmt.Sprintf("2001:db8::%x", i+1), fmt.Sprintf("h%d.example.test", i), there))
		d.Learn(ClientCertificate, facts(bob, fmt.Sprintf("h%d.example.test", i), there), bump, "requested")
	}
	if d.Recall(mine, nil) != Pinned {
		t.Error("an attacker has an entry forgotten")
	}
	if n := len(d.List()); n > 21 {
		t.Errorf("%d entries: two attackers have more than their share", n)
	}
	if d.Recall(facts(alice, "h999.example.test", there), nil) != ClientCertificate {
		t.Error("what is learned of origins does not hold for all")
	}
	if d.Stats().Forgotten == 0 || !strings.Contains(d.log.String(), "forgotten, the table is full") {
		t.Error("nothing is said of what was forgotten")
	}
	for i := range 200 { // many clients
		d.refuse(3, facts(fmt.Sprintf("10.0.%d.1", i), site, there))
	}
	if n := d.entries.Len(); n > 50 {
		t.Errorf("%d entries", n)
	}
	if n := d.strikes.Len(); n > 50 {
		t.Errorf("%d strikes", n)
	}
}

func TestKeptAreNotPushedOut(t *testing.T) {
	d := newDesk(func(o *Options) { o.Entries, o.ClientEntries = 3, 3 })
	for i := range 3 {
		f := facts(alice, fmt.Sprintf("h%d.example.test", i), there)
		d.refuse(3, f)
	}
	for _, e := range d.List() {
		d.Keep(e.ID, true)
	}
	d.refuse(3, facts(bob, site, there))
	list := d.List()
	if len(list) != 3 || slices.ContainsFunc(list, func(e Entry) bool { return !e.Kept }) {
		t.Errorf("%+v", list)
	}
	if !d.Delete(list[0].ID) || len(d.List()) != 2 {
		t.Error("not deleted")
	}
}

// TestFailedOriginByOffer: a client cannot make an origin fail for those who offer
// it something else.
func TestFailedOriginByOffer(t *testing.T) {
	d := newDesk(nil)
	odd, common := facts(alice, site, there), facts(alice, site, there)
	odd.ALPN, common.ALPN = []string{"none", "such"}, []string{"h2"}
	if !d.Learn(FailedOrigin, odd, bump, "handshake") || d.Recall(odd, nil) != FailedOrigin || d.Recall(common, nil) != "" {
		t.Error("learned for every offer")
	}
}

func TestNarrowOfferTunnelsNothing(t *testing.T) {
	d := newDesk(nil)
	f := facts(alice, site, there)
	d.Learn(NarrowOffer, f, bump, "refused")
	if !d.Knows(NarrowOffer, f) || d.Knows(NarrowOffer, facts(alice, site, "198.51.100.2:443")) || d.Recall(f, nil) != "" {
		t.Error("not as it should be")
	}
	d.SetOptions(Options{})
	if d.Knows(NarrowOffer, f) {
		t.Error("known though off")
	}
}

func TestWhatCannotBeLearned(t *testing.T) {
	d := newDesk(nil)
	for _, f := range []*policy.Facts{
		{},
		facts(alice, strings.Repeat("a", 300), there),
		facts(alice, "a\nb", there),
		{Client: netip.MustParseAddrPort("192.0.2.1:1"), SNI: site}, // no destination
	} {
		if d.refuse(5, f) || d.Learn(ClientCertificate, f, bump, "requested") || d.Recall(f, nil) != "" {
			t.Errorf("learned of %+v", f)
		}
	}
}

func TestDestinationsBounded(t *testing.T) {
	d := newDesk(nil)
	for i := range 100 {
		d.Learn(ClientCertificate, facts(alice, site, fmt.Sprintf("198.51.100.%d:443", i)), bump, "requested")
	}
	e := d.List()[0]
	if len(e.Destinations) != maxDestinations || e.Destinations[maxDestinations-1].String() != "198.51.100.99:443" {
		t.Errorf("%v", e.Destinations)
	}
}

// TestConcurrently is for the race detector.
func TestConcurrently(t *testing.T) {
	table := New(usual, Config{})
	var running sync.WaitGroup
	for i := range 4 {
		running.Go(func() {
			for n := range 200 {
				f := facts(fmt.Sprintf("192.0.2.%d", n%7+1), fmt.Sprintf("h%d.example.test", n%5), there)
				table.Learn(Pinned, f, bump, "unknown_ca")
				table.Recall(f, nil)
				table.Accepted(f)
				table.Knows(NarrowOffer, f)
				for _, e := range table.List() {
					if n%50 == i {
						table.Keep(e.ID, true)
						table.Delete(e.ID)
					}
				}
				table.SetOptions(usual)
				table.Stats()
			}
		})
	}
	running.Wait()
}

func BenchmarkRecallMiss(b *testing.B) {
	table := New(usual, Config{})
	for i := range 1000 {
		table.Learn(ClientCertificate, facts(alice, fmt.Sprintf("h%d.example.test", i), there), bump, "requested")
	}
	f := facts(bob, site, there)
	b.ReportAllocs()
	for b.Loop() {
		table.Recall(f, nil)
	}
}
