package certs

import (
	"bytes"
	"crypto/tls"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/clearspan/clearspan/decrypt"
	"github.com/clearspan/clearspan/decrypt/policy"
	"github.com/clearspan/clearspan/hack/lab"
)

// faulty returns the rows of the table that can be served, with what serves them.
func faulty(t *testing.T, each func(o origin, p *pki, host string, chain [][]byte, cfg *tls.Config)) {
	for _, o := range allOrigins() {
		if o.want == "" {
			continue
		}
		p := newPKI(t)
		host, state := o.state(t, p)
		var chain [][]byte
		for _, cert := range state.PeerCertificates {
			if cert != nil && len(cert.Raw) > 0 {
				chain = append(chain, cert.Raw)
			}
		}
		if len(chain) == 0 {
			continue
		}
		cfg := serveRaw(t, chain, keyOf(state.PeerCertificates[0]), state.OCSPResponse)
		cfg.MaxVersion = state.Version
		each(o, p, host, chain, cfg)
	}
}

// An origin that was good, whose leaf is in the cache and whose sessions are
// resumed on both legs, goes bad in every way of the table: neither leaf nor
// ticket outlives that. Nor does what a client was given while the origin was bad
// count once it is good again. Each origin is met in one way, in a thorough run in all.
func TestOriginsGoneBad(t *testing.T) {
	forger := testForger(t, nil)
	rows, met := 0, 0
	faulty(t, func(o origin, p *pki, host string, chain [][]byte, bad *tls.Config) {
		if name := canonicalName(host); net.ParseIP(name) == nil && !hostName(name) {
			return // nobody can be good as this
		}
		rows++
		leaf := p.leaf(t, asLeaf(canonicalName(host)))
		fine := [][]byte{leaf.cert.Raw, p.inter.cert.Raw}
		good := serveRaw(t, fine, leaf.key, nil)
		for response, how := range waysOf(rows) {
			met++
			a := arrange(t, p.judge(), forger, how)
			client := &tls.Config{ClientSessionCache: tls.NewLRUClientSessionCache(1)}
			m := a.meet(good, host, client)
			wantMeeting(t, o.name+", before", response, m, forger, fine, false)
			known := m.session.ForgedSerial
			m = a.meet(good, host, client)
			if s := m.session; s.Outcome != decrypt.Bumped || !m.resumed || !s.ClientTLS.Resumed || !s.OriginTLS.Resumed {
				t.Errorf("%s, %s: a good origin is not resumed: client %t, origin %t, %v", o.name, response, m.resumed, s.OriginTLS.Resumed, s.Err)
			}
			wantMeeting(t, o.name, response, a.meet(bad, host, client), forger, chain, true)
			if m = a.meet(good, host, client); !m.resumed {
				wantMeeting(t, o.name+", after", response, m, forger, fine, false)
			} else if m.session.Untrusted || m.session.ForgedSerial != known {
				t.Errorf("%s, %s: good again, and the client resumed a session of bad days", o.name, response)
			}
			a.close()
		}
	})
	if rows < 100 {
		t.Errorf("only %d origins went bad", rows)
	}
	t.Logf("%d origins gone bad, met in %d ways", rows, met)
}

// The same certificate goes bad where nobody changes it: it ends, or is revoked.
// Sessions that are resumed on both legs are judged like others.
func TestCertificateGoesBad(t *testing.T) {
	forger := testForger(t, nil)
	for _, row := range []struct {
		name  string
		leaf  func(*pki, *responder) *node
		later time.Duration
		want  Reason
	}{
		{"ends", func(p *pki, _ *responder) *node { return p.leaf(t, valid(-day, day)) }, 2 * day, Expired},
		{"intermediate ends", func(p *pki, _ *responder) *node {
			p.inter = issue(t, p.root, ecKey(t), asCA("Short-lived Intermediate"), valid(-day, day))
			return p.leaf(t)
		}, 2 * day, Expired},
		{"is revoked by a list", func(p *pki, r *responder) *node { return p.leaf(t, pointsTo(r.URL+"/crl")) }, 5 * time.Hour, Revoked},
		{"is revoked by a responder", func(p *pki, r *responder) *node { return p.leaf(t, asksAt(r.URL+"/ocsp")) }, 5 * time.Hour, Revoked},
	} {
		for response, how := range responses {
			p := newPKI(t)
			r := newResponder(t, p)
			now := testNow
			judge := p.judgeOf(RevocationSoft, func(c *JudgeConfig) { c.Now = func() time.Time { return now } })
			leaf := row.leaf(p, r)
			chain := [][]byte{leaf.cert.Raw, p.inter.cert.Raw}
			cfg := serveRaw(t, chain, leaf.key, nil)
			a := arrange(t, judge, forger, how)
			client := &tls.Config{ClientSessionCache: tls.NewLRUClientSessionCache(1)}
			wantMeeting(t, row.name+", before", response, a.meet(cfg, testHost, client), forger, chain, false)
			if m := a.meet(cfg, testHost, client); !m.resumed || !m.session.OriginTLS.Resumed {
				t.Errorf("%s, %s: not resumed while good: %v", row.name, response, m.session.Err)
			}
			r.revoke(leaf.cert)
			now = now.Add(row.later)
			m := a.meet(cfg, testHost, client)
			wantMeeting(t, row.name, response, m, forger, chain, true)
			if got := m.session.OriginTLS.Verdict; got != string(row.want) {
				t.Errorf("%s, %s: verdict %q (%v), want %q", row.name, response, got, m.session.Err, row.want)
			}
			a.close()
			r.Close()
		}
	}
}

// A hello that hides another (Encrypted Client Hello) is shown a leaf for its
// public name: of a bad origin never a trusted one, though its client ends the
// session in any case. Each origin is met in one way, in a thorough run in all.
func TestHiddenHelloOfFaultyOrigins(t *testing.T) {
	forger := testForger(t, nil)
	rows, met, shown := 0, 0, 0
	faulty(t, func(o origin, p *pki, host string, chain [][]byte, cfg *tls.Config) {
		if net.ParseIP(host) != nil || !hostName(host) || !strings.Contains(host, ".") {
			return // no public name
		}
		rows++
		list, _, err := lab.NewECH(host)
		if err != nil {
			t.Fatal(err)
		}
		for response, how := range waysOf(rows) {
			met++
			client := &tls.Config{
				MinVersion: tls.VersionTLS13, EncryptedClientHelloConfigList: list,
				EncryptedClientHelloRejectionVerify: func(tls.ConnectionState) error { return nil },
			}
			a := arrange(t, p.judge(), forger, how)
			m := a.meet(cfg, host, client)
			a.close()
			s, seen := m.session, m.shown
			if signedBy(forger.trusted, seen) {
				t.Fatalf("%s, %s: the client was shown a leaf under the trusted authority", o.name, response)
			}
			if s.ClientTLS.ECH == decrypt.ECHNone || s.OriginTLS.Verdict == "ok" {
				t.Errorf("%s, %s: ECH %q, verdict %q (%v)", o.name, response, s.ClientTLS.ECH, s.OriginTLS.Verdict, s.Err)
			}
			if seen == nil {
				continue
			}
			shown++
			if passed := slices.EqualFunc(seen, chain, bytes.Equal); passed != (s.Outcome == decrypt.Tunneling) || !passed && !signedBy(forger.untrusted, seen) {
				t.Errorf("%s, %s: %v, %q (%v), shown is %q", o.name, response, s.Outcome, s.Reason, s.Err, seen[0])
			}
		}
	})
	if rows < 80 || shown < met/3 {
		t.Errorf("%d origins met %d times, %d chains shown", rows, met, shown)
	}
}

// A rule that looked at a faulty certificate and terminates for it has its page
// shown under the untrusted authority, that of a good origin under the trusted one.
func TestInquiredAndTerminated(t *testing.T) {
	forger := testForger(t, nil)
	how := way{page: true, policy: inquiring{policy.Terminate}}
	pages := 0
	faulty(t, func(o origin, p *pki, host string, _ [][]byte, cfg *tls.Config) {
		m := meet(t, p.judge(), forger, how, cfg, host)
		if signedBy(forger.trusted, m.shown) {
			t.Fatalf("%s: the page came under the trusted authority", o.name)
		}
		if m.session.Outcome != decrypt.Terminated {
			t.Errorf("%s: %v, %q (%v)", o.name, m.session.Outcome, m.session.Reason, m.session.Err)
		}
		if m.session.Notice == decrypt.NoticePage {
			pages++
		}
	})
	if pages < 100 {
		t.Errorf("%d pages", pages)
	}
	p := newPKI(t)
	leaf := p.leaf(t)
	m := meet(t, p.judge(), forger, how, serveRaw(t, [][]byte{leaf.cert.Raw, p.inter.cert.Raw}, leaf.key, nil), testHost)
	if !signedBy(forger.trusted, m.shown) || m.session.Outcome != decrypt.Terminated || m.session.Notice != decrypt.NoticePage {
		t.Errorf("good: %v, %v, %v", m.session.Outcome, m.session.Notice, m.session.Err)
	}
}
