package certs

import (
	"context"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var _ interface { // package decrypt's Forger
	Forge(context.Context, []*x509.Certificate, string, bool, bool) (*tls.Certificate, error)
} = (*Forger)(nil)

func testForger(t testing.TB, change func(*ForgerConfig)) *Forger {
	t.Helper()
	cfg := ForgerConfig{
		Trusted:   testAuthority(t, "Test Inspection"),
		Untrusted: testAuthority(t, "Test Untrusted"),
		Now:       func() time.Time { return testNow },
	}
	if change != nil {
		change(&cfg)
	}
	f, err := NewForger(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func forge(t testing.TB, f *Forger, chain []*x509.Certificate, name string, trusted, ecdsa bool) *tls.Certificate {
	t.Helper()
	cert, err := f.Forge(t.Context(), chain, name, trusted, ecdsa)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func TestNewForgerRefuses(t *testing.T) {
	p := newPKI(t)
	authority := func(nodes ...*node) *Authority {
		var chain []*x509.Certificate
		for _, n := range nodes {
			chain = append(chain, n.cert)
		}
		a, err := newAuthority(chain, nodes[0].key, testNow)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	sibling := issue(t, p.root, ecKey(t), asCA("Sibling"))
	below := issue(t, p.inter, ecKey(t), asCA("Below"))
	other := testAuthority(t, "Other")
	for _, row := range []struct {
		name string
		cfg  ForgerConfig
	}{
		{"no trusted authority", ForgerConfig{Untrusted: other}},
		{"one authority for both", ForgerConfig{Trusted: other, Untrusted: other}},
		{"untrusted below trusted", ForgerConfig{Trusted: authority(p.inter), Untrusted: authority(below)}},
		{"untrusted below trusted, with chain", ForgerConfig{Trusted: authority(p.inter), Untrusted: authority(below, p.inter)}},
		{"trusted below untrusted", ForgerConfig{Trusted: authority(p.inter), Untrusted: authority(p.root)}},
		{"same root in both files", ForgerConfig{Trusted: authority(p.inter, p.root), Untrusted: authority(sibling, p.root)}},
		{"same root in one file", ForgerConfig{Trusted: authority(p.inter, p.root), Untrusted: authority(sibling)}},
		{"same root in no file", ForgerConfig{Trusted: authority(p.inter), Untrusted: authority(sibling)}},
		{"200 days", ForgerConfig{Trusted: other, LeafOptions: LeafOptions{Lifetime: 200 * day}}},
		{"negative lifetime", ForgerConfig{Trusted: other, LeafOptions: LeafOptions{Lifetime: -1}}},
		{"negative cache", ForgerConfig{Trusted: other, LeafOptions: LeafOptions{Cache: -1}}},
		{"negative memory", ForgerConfig{Trusted: other, CacheOctets: -1}},
	} {
		if _, err := NewForger(row.cfg); err == nil {
			t.Errorf("%s: accepted", row.name)
		}
	}
	if _, err := NewForger(ForgerConfig{Trusted: other, LeafOptions: LeafOptions{Lifetime: 199 * day}}); err != nil {
		t.Error(err)
	}
}

func TestForgeRefuses(t *testing.T) {
	p := newPKI(t)
	expired := []*x509.Certificate{p.leaf(t, valid(-9*day, -8*day)).cert}
	early := []*x509.Certificate{p.leaf(t, valid(8*day, 9*day)).cert}
	f := testForger(t, func(cfg *ForgerConfig) { cfg.Untrusted = nil })
	for _, row := range []struct {
		name    string
		chain   []*x509.Certificate
		host    string
		trusted bool
	}{
		{"neither chain nor name", nil, "", true},
		{"nothing but a dot", nil, ".", true},
		{"nil certificate", []*x509.Certificate{nil}, testHost, true},
		{"unparsed certificate", []*x509.Certificate{{}}, testHost, true},
		{"expired under the trusted authority", expired, testHost, true},
		{"not yet valid under the trusted authority", early, testHost, true},
		{"no untrusted authority", expired, testHost, false},
		{"wildcard as name", nil, "*.example.com", true},
		{"empty label", nil, "www..example.com", true},
		{"space in name", nil, "www example.com", true},
		{"name of 254 octets", nil, string(make254()), true},
		{"non-ASCII name", nil, "bücher.example", true},
	} {
		cert, err := f.Forge(t.Context(), row.chain, row.host, row.trusted, true)
		if err == nil || cert != nil {
			t.Errorf("%s: got %v, %v", row.name, cert, err)
		}
	}
	if s := f.Stats(); s.Forged != 0 || s.Entries != 0 {
		t.Errorf("a failure was counted or kept: %+v", s)
	}
}

func make254() []byte {
	name := make([]byte, 254)
	for i := range name {
		name[i] = 'a'
		if i%32 == 31 {
			name[i] = '.'
		}
	}
	return name
}

func TestForgeOutsideAuthorityValidity(t *testing.T) {
	for _, row := range []struct {
		name  string
		shift time.Duration
	}{{"expired", 11 * 365 * day}, {"not yet valid", -2 * day}} {
		f := testForger(t, func(cfg *ForgerConfig) {
			cfg.Now = func() time.Time { return testNow.Add(row.shift) }
		})
		if _, err := f.Forge(t.Context(), nil, testHost, true, true); err == nil {
			t.Errorf("%s authority signs", row.name)
		}
	}
}

// countingSigner counts signatures, delays them and fails on demand.
type countingSigner struct {
	crypto.Signer
	signed atomic.Int64
	fail   atomic.Bool
	gate   chan struct{} // nil or to be closed
}

func (s *countingSigner) Sign(r io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	if s.gate != nil {
		<-s.gate
	}
	if s.fail.Load() {
		return nil, errors.New("no entropy in the test")
	}
	s.signed.Add(1)
	return s.Signer.Sign(r, digest, opts)
}

func countedForger(t testing.TB, gate chan struct{}) (*Forger, *countingSigner) {
	t.Helper()
	f := testForger(t, nil)
	s := &countingSigner{Signer: f.trusted.key, gate: gate}
	f.trusted.key = s
	return f, s
}

// waitFor reports an error if the condition does not come true in time. The
// caller goes on, to end what it started.
func waitFor(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); !condition(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Errorf("waited too long for %s", what)
			return
		}
	}
}

func TestForgeOncePerLeaf(t *testing.T) {
	p := newPKI(t)
	chains := [][]*x509.Certificate{p.chain(p.leaf(t)), p.chain(p.leaf(t)), p.chain(p.leaf(t))}
	gate := make(chan struct{})
	f, signer := countedForger(t, gate)
	const callers = 60
	results := make([]*tls.Certificate, callers)
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			cert, err := f.Forge(t.Context(), chains[i%3], testHost, true, true)
			if err != nil {
				t.Error(err)
			}
			results[i] = cert
		})
	}
	waitFor(t, "callers to wait", func() bool { return f.Stats().Shared == callers-3 })
	close(gate)
	wg.Wait()
	if got := signer.signed.Load(); got != 3 {
		t.Errorf("%d signatures for 3 leaves", got)
	}
	for i := range callers {
		if results[i] != results[i%3] {
			t.Fatalf("caller %d has a leaf of its own", i)
		}
	}
	if s := f.Stats(); s.Forged != 3 || s.Shared != callers-3 || s.Entries != 3 {
		t.Errorf("stats %+v", s)
	}
}

func TestForgeWaiterLeavesWithItsContext(t *testing.T) {
	gate := make(chan struct{})
	f, _ := countedForger(t, gate)
	var wg sync.WaitGroup
	wg.Go(func() {
		if _, err := f.Forge(t.Context(), nil, testHost, true, true); err != nil {
			t.Error(err)
		}
	})
	ctx, cancel := context.WithCancel(t.Context())
	left := make(chan error, 1)
	waitFor(t, "the first call to sign", func() bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		return len(f.flights) == 1
	})
	wg.Go(func() {
		_, err := f.Forge(ctx, nil, testHost, true, true)
		left <- err
	})
	cancel()
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	close(gate)
	wg.Wait()
	if _, err := f.Forge(ctx, nil, "other.example.com", true, true); !errors.Is(err, context.Canceled) {
		t.Errorf("signs with a context that is done: %v", err)
	}
}

func TestForgeFailureIsNotKept(t *testing.T) {
	f, signer := countedForger(t, nil)
	signer.fail.Store(true)
	if _, err := f.Forge(t.Context(), nil, testHost, true, true); err == nil {
		t.Fatal("no error from a signer that fails")
	}
	if cert, err := f.Forge(t.Context(), nil, testHost, false, true); err != nil || cert == nil {
		t.Errorf("failure spread to the other authority: %v", err)
	}
	signer.fail.Store(false)
	if _, err := f.Forge(t.Context(), nil, testHost, true, true); err != nil {
		t.Errorf("failure was kept: %v", err)
	}
	if s := f.Stats(); s.Failed != 1 || s.Forged != 2 {
		t.Errorf("stats %+v", s)
	}
}

func TestForgeCacheKey(t *testing.T) {
	p := newPKI(t)
	leaf := p.leaf(t)
	chain := p.chain(leaf)
	f := testForger(t, nil)
	first := forge(t, f, chain, testHost, true, true)
	for _, row := range []struct {
		name    string
		chain   []*x509.Certificate
		host    string
		trusted bool
		ecdsa   bool
		same    bool
	}{
		{"same", chain, testHost, true, true, true},
		{"other spelling of the name", chain, "WWW.Example.com.", true, true, true},
		{"other name", chain, "example.com", true, true, false},
		{"other authority", chain, testHost, false, true, false},
		{"other key type", chain, testHost, true, false, false},
		{"other leaf", p.chain(p.leaf(t)), testHost, true, true, false},
		{"other issuer", chain[:1], testHost, true, true, false},
		{"no chain", nil, testHost, true, true, false},
	} {
		got := forge(t, f, row.chain, row.host, row.trusted, row.ecdsa)
		if (got == first) != row.same {
			t.Errorf("%s: same leaf is %v, want %v", row.name, got == first, row.same)
		}
	}
}

func TestForgeCacheExpires(t *testing.T) {
	p := newPKI(t)
	for _, row := range []struct {
		name    string
		leaf    *node
		trusted bool
		after   time.Duration
		kept    bool
	}{
		{"within its life", p.leaf(t), true, 22 * time.Hour, true},
		{"an hour before its end", p.leaf(t), true, 23 * time.Hour, false},
		{"short-lived origin", p.leaf(t, valid(-day, time.Hour)), true, 44 * time.Minute, true},
		{"short-lived origin near its end", p.leaf(t, valid(-day, time.Hour)), true, 46 * time.Minute, false},
		{"expired origin", p.leaf(t, valid(-9*day, -8*day)), false, 59 * time.Minute, true},
		{"expired origin, later", p.leaf(t, valid(-9*day, -8*day)), false, time.Hour, false},
		{"not yet valid", p.leaf(t, valid(time.Minute, day)), false, time.Minute, false},
	} {
		now := testNow
		f := testForger(t, func(cfg *ForgerConfig) { cfg.Now = func() time.Time { return now } })
		first := forge(t, f, p.chain(row.leaf), testHost, row.trusted, true)
		now = testNow.Add(row.after)
		if kept := forge(t, f, p.chain(row.leaf), testHost, row.trusted, true) == first; kept != row.kept {
			t.Errorf("%s: kept is %v", row.name, kept)
		}
	}
}

// 100,000 names must not grow the cache past its bound. The map is what grows:
// it is filled through the forger's own bookkeeping, a few leaves really signed.
func TestForgeCacheIsBounded(t *testing.T) {
	const bound = 500
	f := testForger(t, func(cfg *ForgerConfig) { cfg.Cache = bound })
	cert := forge(t, f, nil, testHost, true, true)
	for i := range 100_000 {
		name := fmt.Sprintf("host-%d.example.com", i)
		if i%1000 == 0 {
			forge(t, f, nil, name, true, true)
			continue
		}
		f.finish(chainKey(0, name, nil), &flight{done: make(chan struct{}), cert: cert}, testNow)
	}
	s := f.Stats()
	if s.Entries != bound || len(f.flights) != 0 {
		t.Errorf("%d entries, %d flights, want %d and 0", s.Entries, len(f.flights), bound)
	}
	if want := bound * leafCost(cert); s.Octets < want/2 || s.Octets > 2*want || s.Evicted < 99_000 {
		t.Errorf("stats %+v, want about %d octets", s, want)
	}

	f = testForger(t, func(cfg *ForgerConfig) { cfg.CacheOctets = 50_000 })
	for i := range 100 {
		forge(t, f, nil, fmt.Sprintf("host-%d.example.com", i), true, true)
	}
	if s := f.Stats(); s.Octets > 50_000 || s.Entries < 5 {
		t.Errorf("memory bound: %+v", s)
	}
}

// Whatever an origin presents, its untrusted leaf must lead to no root that
// clients trust.
func TestFaultyOriginsNeverTrusted(t *testing.T) {
	f := testForger(t, nil)
	trusted := x509.NewCertPool()
	trusted.AddCert(f.trusted.Certificate())
	for _, o := range faultyOrigins {
		p := newPKI(t)
		host, state := o.state(t, p)
		forged, err := f.Forge(t.Context(), state.PeerCertificates, host, false, true)
		if err != nil {
			if o.want != Malformed {
				t.Errorf("%s: %v", o.name, err)
			}
			continue
		}
		if _, err := forged.Leaf.Verify(x509.VerifyOptions{Roots: trusted, CurrentTime: testNow}); err == nil {
			t.Errorf("%s: leads to the trusted authority", o.name)
		}
		if err := forged.Leaf.CheckSignatureFrom(f.untrusted.Certificate()); err != nil {
			t.Errorf("%s: %v", o.name, err)
		}
	}
}

func TestKeyPoolRotates(t *testing.T) {
	for _, row := range []struct {
		name  string
		uses  int
		after time.Duration
		made  int
	}{
		{"filled once", 20, 0, 2},
		{"by use", 21, 0, 3},
		{"by age", 4, day, 4},
	} {
		made := 0
		pool := newKeyPool(2, func() (crypto.Signer, error) {
			made++
			return ecKey(t), nil
		})
		pool.maxUses = 10
		for i := range row.uses {
			now := testNow
			if i >= 2 {
				now = now.Add(row.after)
			}
			key, err := pool.take(now)
			if err != nil || key.signer == nil || len(key.id) != 20 || len(key.spki) == 0 {
				t.Fatalf("%s: take: %v, id %x", row.name, err, key.id)
			}
		}
		if made != row.made {
			t.Errorf("%s: %d keys made, want %d", row.name, made, row.made)
		}
	}
	pool := newKeyPool(1, func() (crypto.Signer, error) { return nil, errors.New("no entropy") })
	if _, err := pool.take(testNow); err == nil {
		t.Error("no error from a generator that fails")
	}
}

func TestCachedForgeAllocations(t *testing.T) {
	p := newPKI(t)
	chain := p.chain(p.leaf(t))
	f := testForger(t, nil)
	forge(t, f, chain, testHost, true, true)
	ctx := t.Context()
	allocs := testing.AllocsPerRun(100, func() {
		if _, err := f.Forge(ctx, chain, testHost, true, true); err != nil {
			t.Fatal(err)
		}
	})
	if allocs > 2 { // the race detector makes sync.Pool forget
		t.Errorf("%v allocations for a cached leaf", allocs)
	}
}

func BenchmarkForge(b *testing.B) {
	p := newPKI(b)
	chain := p.chain(p.leaf(b))
	b.Run("warm", func(b *testing.B) {
		f := testForger(b, nil)
		forge(b, f, chain, testHost, true, true)
		b.ReportAllocs()
		for b.Loop() {
			forge(b, f, chain, testHost, true, true)
		}
	})
	b.Run("cold", func(b *testing.B) {
		f := testForger(b, nil)
		b.ReportAllocs()
		for b.Loop() {
			if _, err := f.sign(chain, testHost, true, true, testNow); err != nil {
				b.Fatal(err)
			}
		}
	})
}
