package decrypt

import (
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/clearspan/clearspan/decrypt/memo"
)

// Limits of an [Addresses]. Ten clients at least share it.
const (
	addressLifetime = 24 * time.Hour // since the DNS said it last
	addressNames    = 10_000
	addressMost     = 100_000 // of all names, 32 octets each
	addressOfName   = 256     // the oldest go
	addressShares   = 10
)

// Addresses remembers the addresses that names had within a day, as the DNS said: names
// of large sites have other addresses in each answer. It is bounded, and clients share it
// fairly. The zero value is ready. Safe for concurrent use.
type Addresses struct {
	mu    sync.Mutex
	names memo.Memo[string, netip.Addr, []knownAddress] // owner: the client that had it looked up
}

// knownAddress is an address of a name.
type knownAddress struct {
	addr netip.Addr
	said int64 // when the DNS said so last, in Unix seconds
}

// plainName is the form in which names are compared.
func plainName(name string) string { return strings.ToLower(strings.TrimSuffix(name, ".")) }

// plainAddr is the form in which addresses are compared.
func plainAddr(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }

// Has reports whether the name had the address within a day.
func (a *Addresses) Has(name string, addr netip.Addr, now time.Time) bool {
	name, addr = plainName(name), plainAddr(addr)
	a.mu.Lock()
	defer a.mu.Unlock()
	known := a.names.Find(name)
	if known == nil {
		return false
	}
	a.names.Touch(name)
	return slices.ContainsFunc(*known, func(k knownAddress) bool { return k.addr == addr && k.holds(now) })
}

func (k knownAddress) holds(now time.Time) bool {
	return now.Unix()-k.said < int64(addressLifetime/time.Second)
}

// Add notes an answer of the DNS, for which a client had us ask. It borrows addrs.
func (a *Addresses) Add(name string, addrs []netip.Addr, client netip.Addr, now time.Time) {
	if len(addrs) == 0 {
		return
	}
	name = plainName(name)
	a.mu.Lock()
	defer a.mu.Unlock()
	var merged []knownAddress
	if known := a.names.Find(name); known != nil {
		merged = slices.DeleteFunc(slices.Clone(*known), func(k knownAddress) bool {
			return !k.holds(now) || slices.ContainsFunc(addrs, func(addr netip.Addr) bool { return plainAddr(addr) == k.addr })
		})
	}
	for _, addr := range addrs[:min(len(addrs), addressOfName)] {
		merged = append(merged, knownAddress{plainAddr(addr), now.Unix()})
	}
	merged = slices.Clip(merged[max(0, len(merged)-addressOfName):])
	if known := a.names.Find(name); known != nil {
		*known = merged
		a.names.Touch(name)
		a.names.Charge(name, int64(len(merged)))
		return
	}
	a.names.Limits = memo.Limits{
		Entries: addressNames, Each: addressNames / addressShares, Cost: addressMost, EachCost: addressMost / addressShares,
	}
	a.names.Put(name, memo.Client(client), int64(len(merged)), merged)
}
