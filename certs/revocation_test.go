package certs

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"github.com/clearspan/clearspan/certs/fetch"
)

// responder answers for the certificates of a PKI.
type responder struct {
	*httptest.Server
	p     *pki
	asked atomic.Int64

	mu      sync.Mutex
	revoked map[string]bool // serial numbers
	broken  bool            // answers 500
	mute    chan struct{}   // not nil: waits for it to close
	body    []byte          // not nil: the answer
}

// newResponder answers /ocsp and /crl for certificates of p.inter, /root-crl for
// those of p.root.
func newResponder(t testing.TB, p *pki) *responder {
	r := &responder{p: p, revoked: map[string]bool{}}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		r.asked.Add(1)
		r.mu.Lock()
		mute, broken, body := r.mute, r.broken, r.body
		r.mu.Unlock()
		if mute != nil {
			select {
			case <-mute:
			case <-request.Context().Done():
			}
		}
		switch {
		case broken:
			http.Error(w, "broken", http.StatusInternalServerError)
		case body != nil:
			w.Write(body)
		case strings.HasPrefix(request.URL.Path, "/ocsp"):
			r.ocsp(t, w, request)
		case request.URL.Path == "/crl":
			w.Write(crlOf(t, p.inter, r.serials()))
		case request.URL.Path == "/root-crl":
			w.Write(crlOf(t, p.root, r.serials()))
		default:
			http.NotFound(w, request)
		}
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *responder) ocsp(t testing.TB, w http.ResponseWriter, request *http.Request) {
	question, err := readQuestion(request)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	answer := &stapled{}
	r.mu.Lock()
	if r.revoked[question.SerialNumber.String()] {
		answer.status = ocsp.Revoked
	}
	r.mu.Unlock()
	w.Write(answer.about(t, r.p.inter, question.SerialNumber))
}

func (r *responder) serials() (list []*big.Int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for s := range r.revoked {
		n, _ := new(big.Int).SetString(s, 10)
		list = append(list, n)
	}
	return list
}

func (r *responder) revoke(certs ...*x509.Certificate) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range certs {
		r.revoked[c.SerialNumber.String()] = true
	}
}

func (r *responder) set(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f()
}

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}

func (p *pki) judgeOf(mode RevocationMode, edit ...func(*JudgeConfig)) *Judge {
	cfg := JudgeConfig{
		Roots: p.roots, Own: []*x509.Certificate{p.own.cert}, Now: func() time.Time { return testNow },
		Revocation: RevocationConfig{
			Mode: mode, Timeout: 30 * time.Second, // the machine may be busy
			Fetcher: fetch.New(fetch.Config{Allow: loopback}),
		},
	}
	for _, e := range edit {
		e(&cfg)
	}
	return NewJudge(cfg)
}

func presenting(chain ...*x509.Certificate) *tls.ConnectionState {
	return &tls.ConnectionState{Version: tls.VersionTLS13, PeerCertificates: chain}
}

func TestRevocation(t *testing.T) {
	p := newPKI(t)
	r := newResponder(t, p)
	byOCSP, byCRL := asksAt(r.URL+"/ocsp"), pointsTo(r.URL+"/crl")
	down := "http://127.0.0.1:1/"
	watched := issue(t, p.root, ecKey(t), asCA("Watched Intermediate"), pointsTo(r.URL+"/root-crl"))
	below := func(n *node) func(...edit) []*x509.Certificate {
		return func(edits ...edit) []*x509.Certificate {
			return []*x509.Certificate{issue(t, n, ecKey(t), append([]edit{asLeaf(testHost)}, edits...)...).cert, n.cert}
		}
	}
	// Both links of a chain must have a source: the intermediate's is root-crl.
	p.inter = &node{cert: issue(t, p.root, p.inter.key, asCA("Test Intermediate"), pointsTo(r.URL+"/root-crl")).cert, key: p.inter.key}
	leaf := below(p.inter)
	for _, row := range []struct {
		name       string
		chain      []*x509.Certificate
		revoke     int // index into chain, -1: none
		staple     *stapled
		word       string // in soft mode
		soft, hard Reason
	}{
		{name: "OCSP, good", chain: leaf(byOCSP), revoke: -1, word: StatusGood},
		{name: "OCSP, revoked", chain: leaf(byOCSP), word: StatusRevoked, soft: Revoked, hard: Revoked},
		{name: "OCSP by POST, good", chain: leaf(asksAt(r.URL + "/ocsp/" + strings.Repeat("x", maxOCSPGet))), revoke: -1, word: StatusGood},
		{name: "CRL, good", chain: leaf(byCRL), revoke: -1, word: StatusGood},
		{name: "CRL, revoked", chain: leaf(byCRL), word: StatusRevoked, soft: Revoked, hard: Revoked},
		{name: "responder down, CRL at hand", chain: leaf(asksAt(down), byCRL), word: StatusRevoked, soft: Revoked, hard: Revoked},
		{name: "staple, good", chain: leaf(), revoke: -1, staple: &stapled{}, word: StatusGood},
		{name: "staple, revoked", chain: leaf(), revoke: -1, staple: &stapled{status: ocsp.Revoked}, word: StatusRevoked, soft: Revoked, hard: Revoked},
		{name: "staple good although listed", chain: leaf(byCRL), staple: &stapled{}, word: StatusGood},
		{name: "staple stale, CRL", chain: leaf(byCRL), staple: &stapled{age: 9 * day, until: -day}, word: StatusRevoked, soft: Revoked, hard: Revoked},
		{name: "staple of somebody, no other source", chain: leaf(), revoke: -1, staple: &stapled{by: func(t testing.TB, _ *node) (*node, bool) { return issue(t, nil, ecKey(t), asResponder), true }}, word: StatusUnknown, hard: RevocationUnknown},
		{name: "intermediate revoked", chain: below(watched)(byCRL), revoke: 1, word: StatusRevoked, soft: Revoked, hard: Revoked},
		{name: "no source", chain: leaf(), revoke: -1, word: StatusUnknown, hard: RevocationUnknown},
		{name: "no source, short-lived", chain: leaf(valid(-day, 6*day)), revoke: -1, word: StatusGood},
		{name: "source by LDAP and TLS", chain: leaf(asksAt("https://127.0.0.1/"), pointsTo("ldap://127.0.0.1/")), revoke: -1, word: StatusUnknown, hard: RevocationUnknown},
		{name: "responder down", chain: leaf(asksAt(down)), word: StatusUnknown, hard: RevocationUnknown},
		{name: "not found", chain: leaf(pointsTo(r.URL + "/nowhere")), word: StatusUnknown, hard: RevocationUnknown},
		{name: "list of another issuer", chain: leaf(pointsTo(r.URL + "/root-crl")), word: StatusUnknown, hard: RevocationUnknown},
		{name: "revoked and for another name", chain: leaf(byCRL, asLeaf("other.example.com")), word: StatusRevoked, soft: Revoked, hard: Revoked},
		{name: "revoked and expired", chain: leaf(byCRL, valid(-9*day, -day)), word: StatusRevoked, soft: Revoked, hard: Revoked},
		{name: "unknown and expired", chain: leaf(valid(-9*day, -day)), revoke: -1, staple: &stapled{garbage: true}, word: StatusUnknown, soft: Expired, hard: Expired},
		{name: "root alone", chain: []*x509.Certificate{p.trusted(t, ecKey(t), asLeaf(testHost), func(c *x509.Certificate) { c.IsCA = false }).cert}, revoke: -1, word: StatusGood},
		{name: "unknown issuer is not asked about", chain: leaf(byCRL)[:1], soft: UnknownIssuer, hard: UnknownIssuer},
	} {
		t.Run(row.name, func(t *testing.T) {
			if row.revoke >= 0 {
				r.set(func() { clear(r.revoked) })
				r.revoke(row.chain[row.revoke])
			}
			state := presenting(row.chain...)
			if row.staple != nil {
				state.OCSPResponse = row.staple.response(t, p, row.chain)
			}
			for _, m := range []struct {
				mode RevocationMode
				want Reason
				word string
			}{{RevocationSoft, row.soft, row.word}, {RevocationHard, row.hard, row.word}, {RevocationOff, "", ""}} {
				if m.mode == RevocationOff && row.soft != "" && row.soft != Revoked {
					m.want = row.soft
				}
				judge := p.judgeOf(m.mode)
				for _, attempt := range []string{"fresh", "cached"} {
					before := r.asked.Load()
					word, _, err := judge.Assess(t.Context(), testHost, state)
					if m.mode == RevocationOff && row.soft == Revoked {
						if ReasonOf(err) == Revoked || r.asked.Load() != before {
							t.Errorf("off, %s: %v", attempt, err)
						}
						continue
					}
					if ReasonOf(err) != m.want || (err != nil) != (m.want != "") || word != m.word {
						t.Errorf("%s, %s: got %q, %v, want %q, %q", m.mode, attempt, word, err, m.word, m.want)
					}
					if attempt == "cached" && r.asked.Load() != before {
						t.Errorf("%s: asked again", m.mode)
					}
				}
			}
		})
	}
}

// A staple that a certificate demands must be one, whatever the mode.
func TestMustStapleIsRead(t *testing.T) {
	p := newPKI(t)
	chain := p.chain(p.leaf(t, mustStaple))
	for _, row := range []struct {
		name   string
		staple stapled
		want   Reason
	}{
		{"good", stapled{}, ""},
		{"garbage", stapled{garbage: true}, MustStaple},
		{"stale", stapled{age: 9 * day, until: -day}, MustStaple},
		{"unknown", stapled{status: ocsp.Unknown}, MustStaple},
		{"revoked", stapled{status: ocsp.Revoked}, Revoked},
	} {
		for _, mode := range []RevocationMode{RevocationOff, RevocationSoft} {
			state := presenting(chain...)
			state.OCSPResponse = row.staple.response(t, p, chain)
			if got := ReasonOf(p.judgeOf(mode).Verify(t.Context(), testHost, state)); got != row.want {
				t.Errorf("%s, %s: got %q, want %q", row.name, mode, got, row.want)
			}
		}
	}
}

// A responder that does not answer costs one session the bound, and those after
// it nothing.
func TestMuteResponder(t *testing.T) {
	p := newPKI(t)
	r := newResponder(t, p)
	r.mute = make(chan struct{})
	defer close(r.mute)
	const bound = 300 * time.Millisecond
	judge := p.judgeOf(RevocationHard, func(c *JudgeConfig) { c.Revocation.Timeout = bound })
	for n := range 4 {
		chain := p.chain(p.leaf(t, asksAt(r.URL+"/ocsp"), pointsTo(r.URL+"/crl")))
		start := time.Now()
		err := judge.Verify(t.Context(), testHost, presenting(chain...))
		took := time.Since(start)
		if ReasonOf(err) != RevocationUnknown {
			t.Errorf("got %v", err)
		}
		// Generous for a busy machine: without a bound it would wait for ever.
		if took > bound+5*time.Second {
			t.Errorf("attempt %d took %v", n, took)
		}
	}
	if n := r.asked.Load(); n > 1 {
		t.Errorf("asked %d times within a minute", n)
	}
}

// Sessions that want the same wait for one fetch.
func TestFetchedOnce(t *testing.T) {
	p := newPKI(t)
	r := newResponder(t, p)
	r.mute = make(chan struct{})
	judge := p.judgeOf(RevocationSoft)
	var wg sync.WaitGroup
	for n := range 20 {
		// Two names of one certificate share no judgement.
		state := presenting(p.chain(p.leaf(t, asLeaf(fmt.Sprintf("h%d.example.com", n)), pointsTo(r.URL+"/crl")))...)
		wg.Go(func() {
			if word, _, err := judge.Assess(t.Context(), fmt.Sprintf("h%d.example.com", n), state); word != StatusUnknown || err != nil {
				t.Errorf("%q, %v", word, err) // the intermediate has no source
			}
		})
	}
	waitFor(t, "a question", func() bool { return r.asked.Load() > 0 })
	close(r.mute)
	wg.Wait()
	if n := r.asked.Load(); n != 1 {
		t.Errorf("list fetched %d times", n)
	}
}

// A session that is called away while it fetches does not spoil it for others.
func TestFetcherCalledAway(t *testing.T) {
	p := newPKI(t)
	r := newResponder(t, p)
	r.mute = make(chan struct{})
	s := p.judgeOf(RevocationSoft).revocation.sources
	l := issuedCert{cert: p.leaf(t, pointsTo(r.URL+"/crl")).cert, issuer: p.inter.cert}
	first, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		if _, err := s.ask(first, l, testNow); err == nil {
			t.Error("the first got an answer")
		}
	})
	waitFor(t, "a question", func() bool { return r.asked.Load() > 0 })
	wg.Go(func() {
		if a, err := s.ask(t.Context(), l, testNow); a.status != statusGood || err != nil {
			t.Errorf("the second got %v, %v", a, err)
		}
	})
	cancel()
	waitFor(t, "a second question", func() bool { return r.asked.Load() > 1 })
	close(r.mute)
	wg.Wait()
	if len(s.pending) != 0 {
		t.Errorf("%d inquiries left", len(s.pending))
	}
}

func TestSourcesExpire(t *testing.T) {
	p := newPKI(t)
	r := newResponder(t, p)
	now := testNow
	judge := p.judgeOf(RevocationSoft, func(c *JudgeConfig) { c.Now = func() time.Time { return now } })
	state := presenting(p.chain(p.leaf(t, pointsTo(r.URL+"/crl")))...)
	leaf := state.PeerCertificates[0]
	check := func(after time.Duration, want Reason, asked int64) {
		t.Helper()
		now = testNow.Add(after)
		if got := ReasonOf(judge.Verify(t.Context(), testHost, state)); got != want || r.asked.Load() != asked {
			t.Errorf("after %v: %q, asked %d times; want %q, %d", after, got, r.asked.Load(), want, asked)
		}
	}
	r.set(func() { r.broken = true })
	check(0, "", 1)
	check(59*time.Second, "", 1) // the failure is remembered
	r.set(func() { r.broken = false })
	check(61*time.Second, "", 2)
	r.revoke(leaf)
	check(10*time.Minute, "", 2) // the list counts until it ends, at most four hours
	check(61*time.Second+sourceLifetime, Revoked, 3)
	check(20*day, Revoked, 4) // asked anew, and what is listed stays revoked
}

// A list beyond the bound is not used, and the log and the refusal say so.
func TestLongList(t *testing.T) {
	p := newPKI(t)
	r := newResponder(t, p)
	r.body = make([]byte, 50_000)
	var log strings.Builder
	judge := p.judgeOf(RevocationHard, func(c *JudgeConfig) {
		c.Revocation.MaxCRL = 49_999
		c.Revocation.Logger = slog.New(slog.NewTextHandler(&log, nil))
	})
	err := judge.Verify(t.Context(), testHost, presenting(p.chain(p.leaf(t, pointsTo(r.URL+"/crl")))...))
	const says = "answer too long: want at most 49999 octets"
	if ReasonOf(err) != RevocationUnknown || !strings.Contains(err.Error(), says) || !strings.Contains(log.String(), says) {
		t.Errorf("got %v\nlog: %s", err, log.String())
	}
}

func TestSourcesAreBounded(t *testing.T) {
	p := newPKI(t)
	s := newSources(fetcherFunc(func() ([]byte, error) { return nil, io.ErrUnexpectedEOF }), 1<<20, nil)
	s.cache = newLRU[source](10, 1<<20)
	for n := range 100 {
		s.ask(t.Context(), issuedCert{cert: p.leaf(t, pointsTo(fmt.Sprintf("http://h%d.test/", n))).cert, issuer: p.inter.cert}, testNow)
	}
	if s.cache.len() != 10 || len(s.pending) != 0 {
		t.Errorf("%d kept, %d open", s.cache.len(), len(s.pending))
	}
}

type fetcherFunc func() ([]byte, error)

func (f fetcherFunc) Fetch(context.Context, string, string, []byte, int64) ([]byte, error) {
	return f()
}
