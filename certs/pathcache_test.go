package certs

import (
	"crypto/tls"
	"fmt"
	"testing"
	"time"
)

// TestPathsKept: names under one certificate share its way to the root, and none
// of them is trusted for longer than it holds.
func TestPathsKept(t *testing.T) {
	p := newPKI(t)
	now := testNow
	j := NewJudge(JudgeConfig{Roots: p.roots, Now: func() time.Time { return now }})
	leaf := p.leaf(t, asLeaf(testHost, "*.example.com"), valid(-day, time.Minute))
	state := &tls.ConnectionState{Version: tls.VersionTLS13, PeerCertificates: p.chain(leaf)}
	for i := range 3 {
		if err := j.Verify(t.Context(), fmt.Sprintf("n%d.example.com", i), state); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.Verify(t.Context(), "www.example.org", state); ReasonOf(err) != NameMismatch {
		t.Errorf("another name: %v", err)
	}
	if a, b := j.findPaths(p.chain(leaf), now), j.findPaths(p.chain(leaf), now); j.paths.len() != 1 || &a.chains[0] != &b.chains[0] {
		t.Errorf("%d kept, found again: %t", j.paths.len(), &a.chains[0] == &b.chains[0])
	}
	now = now.Add(time.Minute + time.Second)
	if err := j.Verify(t.Context(), "late.example.com", state); ReasonOf(err) != Expired {
		t.Errorf("after the end: %v", err)
	}
	other := issue(t, nil, ecKey(t), asCA("Unknown root"))
	state.PeerCertificates = p.chain(issue(t, other, ecKey(t), asLeaf(testHost)))
	for range 2 {
		if err := j.Verify(t.Context(), testHost, state); ReasonOf(err) != UnknownIssuer {
			t.Errorf("unknown issuer: %v", err)
		}
	}
	if n := j.paths.len(); n != 0 {
		t.Errorf("%d ways kept that do not hold", n)
	}
}
