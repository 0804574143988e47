package handshake

import (
	"crypto/tls"
	"net/netip"
	"strconv"
	"testing"
	"time"
)

func cacheKeyOf(client int, name string) CacheKey {
	return CacheKey{netip.AddrFrom4([4]byte{10, byte(client >> 16), byte(client >> 8), byte(client)}), netip.MustParseAddrPort("192.0.2.1:443"), name, name}
}

func TestOriginsTake(t *testing.T) {
	now := time.Unix(1000, 0)
	var o OriginCache
	add := func(k CacheKey, version uint16, chain string) *tls.ClientSessionState {
		s := new(tls.ClientSessionState)
		o.add(k, cachedSession{proof{version: version, chain: chain, der: 100, until: now.Add(time.Minute)}, s, 10})
		return s
	}
	take := func(k CacheKey, at time.Duration) *tls.ClientSessionState {
		s, _ := o.take(now.Add(at), k)
		return s.state
	}
	a := cacheKeyOf(1, "www.example.test")
	for _, other := range []CacheKey{cacheKeyOf(2, "www.example.test"), cacheKeyOf(1, "bank.example.test")} {
		add(a, tls.VersionTLS13, "x")
		if take(other, 0) != nil {
			t.Errorf("%v gets what belongs to %v", other, a)
		}
	}
	o.forget(a)
	if take(a, 0) != nil || o.entries.Cost() != 0 || o.entries.Len() != 0 {
		t.Errorf("not forgotten: %d octets", o.entries.Cost())
	}

	var sessions []*tls.ClientSessionState
	for range cacheTickets + 2 {
		sessions = append(sessions, add(a, tls.VersionTLS13, "x"))
	}
	if o.entries.Cost() != 100+10*cacheTickets {
		t.Errorf("%d octets", o.entries.Cost())
	}
	for i := range cacheTickets { // the newest first, each once
		if take(a, 0) != sessions[len(sessions)-1-i] {
			t.Errorf("ticket %d is another", i)
		}
	}
	if take(a, 0) != nil || o.entries.Cost() != 0 {
		t.Errorf("more tickets than there were, %d octets", o.entries.Cost())
	}

	add(a, tls.VersionTLS12, "x")
	last := add(a, tls.VersionTLS12, "x")
	for range 2 {
		if take(a, 0) != last || o.entries.Cost() != 110 {
			t.Errorf("TLS 1.2 does not keep one, %d octets", o.entries.Cost())
		}
	}
	last = add(a, tls.VersionTLS12, "y")
	if take(a, time.Minute-1) != last || o.entries.Cost() != 110 {
		t.Errorf("chains mix, %d octets", o.entries.Cost())
	}
	if take(a, time.Minute) != nil || o.entries.Cost() != 0 {
		t.Errorf("lives too long, %d octets", o.entries.Cost())
	}
}

func TestOriginsBounded(t *testing.T) {
	var o OriginCache
	until := time.Unix(2000, 0)
	fill := func(n, der int) {
		for i := range n {
			o.add(cacheKeyOf(i, "a"), cachedSession{proof{version: tls.VersionTLS13, der: der, until: until}, new(tls.ClientSessionState), 10})
		}
	}
	fill(cacheEntries+10, 0)
	if o.entries.Len() != cacheEntries {
		t.Errorf("%d entries", o.entries.Len())
	}
	if _, ok := o.take(time.Unix(0, 0), cacheKeyOf(9, "a")); ok {
		t.Error("the oldest is kept")
	}
	fill(cacheEntries, cacheOctets/150)
	if o.entries.Cost() > cacheOctets || o.entries.Cost() < cacheOctets/2 {
		t.Errorf("%d octets", o.entries.Cost())
	}
	before := o.entries.Cost()
	o.add(cacheKeyOf(0, "big"), cachedSession{proof{der: cacheOctets / 50, until: until}, new(tls.ClientSessionState), 10})
	if o.entries.Cost() != before {
		t.Error("one origin takes the place of many")
	}
}

// A client with any number of origins, dear ones too, leaves the others their part.
func TestOriginsFair(t *testing.T) {
	now := time.Unix(1000, 0)
	session := func(der int) cachedSession {
		return cachedSession{proof{version: tls.VersionTLS12, der: der, until: now.Add(time.Hour)}, new(tls.ClientSessionState), 10}
	}
	for _, der := range []int{0, cacheOctets / 150} {
		var o OriginCache
		other := cacheKeyOf(1, "other")
		o.add(other, session(der))
		for i := range 2 * cacheEntries {
			o.add(cacheKeyOf(2, strconv.Itoa(i)), session(der))
		}
		if _, ok := o.take(now, other); !ok {
			t.Errorf("chains of %d octets: another client's session is gone", der)
		}
	}
}
