package decrypt

import (
	"crypto/tls"
	"net/netip"
	"testing"
	"time"
)

func recallKeyOf(client int, name string) recallKey {
	return recallKey{netip.AddrFrom4([4]byte{10, byte(client >> 16), byte(client >> 8), byte(client)}), netip.MustParseAddrPort("192.0.2.1:443"), name, name}
}

func TestOriginsTake(t *testing.T) {
	now := time.Unix(1000, 0)
	var o origins
	add := func(k recallKey, version uint16, chain string) *tls.ClientSessionState {
		s := new(tls.ClientSessionState)
		o.add(k, remembered{proof{version: version, chain: chain, der: 100, until: now.Add(time.Minute)}, s, 10})
		return s
	}
	take := func(k recallKey, at time.Duration) *tls.ClientSessionState {
		s, _ := o.take(now.Add(at), k)
		return s.state
	}
	a := recallKeyOf(1, "www.example.test")
	for _, other := range []recallKey{recallKeyOf(2, "www.example.test"), recallKeyOf(1, "bank.example.test")} {
		add(a, tls.VersionTLS13, "x")
		if take(other, 0) != nil {
			t.Errorf("%v gets what belongs to %v", other, a)
		}
	}
	o.forget(a)
	if take(a, 0) != nil || o.octets != 0 || o.order.Len() != 0 {
		t.Errorf("not forgotten: %d octets", o.octets)
	}

	var sessions []*tls.ClientSessionState
	for range recallTickets + 2 {
		sessions = append(sessions, add(a, tls.VersionTLS13, "x"))
	}
	if o.octets != 100+10*recallTickets {
		t.Errorf("%d octets", o.octets)
	}
	for i := range recallTickets { // the newest first, each once
		if take(a, 0) != sessions[len(sessions)-1-i] {
			t.Errorf("ticket %d is another", i)
		}
	}
	if take(a, 0) != nil || o.octets != 0 {
		t.Errorf("more tickets than there were, %d octets", o.octets)
	}

	add(a, tls.VersionTLS12, "x")
	last := add(a, tls.VersionTLS12, "x")
	for range 2 {
		if take(a, 0) != last || o.octets != 110 {
			t.Errorf("TLS 1.2 does not keep one, %d octets", o.octets)
		}
	}
	last = add(a, tls.VersionTLS12, "y")
	if take(a, time.Minute-1) != last || o.octets != 110 {
		t.Errorf("chains mix, %d octets", o.octets)
	}
	if take(a, time.Minute) != nil || o.octets != 0 {
		t.Errorf("lives too long, %d octets", o.octets)
	}
}

func TestOriginsBounded(t *testing.T) {
	var o origins
	until := time.Unix(2000, 0)
	fill := func(n, der int) {
		for i := range n {
			o.add(recallKeyOf(i, "a"), remembered{proof{version: tls.VersionTLS13, der: der, until: until}, new(tls.ClientSessionState), 10})
		}
	}
	fill(recallEntries+10, 0)
	if len(o.entries) != recallEntries || o.order.Len() != recallEntries {
		t.Errorf("%d entries", len(o.entries))
	}
	if _, ok := o.take(time.Unix(0, 0), recallKeyOf(9, "a")); ok {
		t.Error("the oldest is kept")
	}
	fill(recallEntries, recallOctets/150)
	if o.octets > recallOctets || o.octets < recallOctets/2 {
		t.Errorf("%d octets", o.octets)
	}
	before := o.octets
	o.add(recallKeyOf(0, "big"), remembered{proof{der: recallOctets / 50, until: until}, new(tls.ClientSessionState), 10})
	if o.octets != before {
		t.Error("one origin takes the place of many")
	}
}
