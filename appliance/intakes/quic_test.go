package intakes

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"github.com/clearspan/clearspan/appliance/admin"
	"github.com/clearspan/clearspan/appliance/audit"
	"github.com/clearspan/clearspan/appliance/feed"
	"github.com/clearspan/clearspan/appliance/intake"
	"github.com/clearspan/clearspan/appliance/sessions"
	"github.com/clearspan/clearspan/appliance/watch"
	"github.com/clearspan/clearspan/decrypt"
	"github.com/clearspan/clearspan/decrypt/policy"
	"github.com/clearspan/clearspan/hack/quicclient"
	"github.com/clearspan/clearspan/hack/tempo"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// never forges nothing and verifies nobody.
type never struct{}

func (never) Forge(context.Context, []*x509.Certificate, string, bool, bool) (*tls.Certificate, error) {
	return nil, errors.New("no leaf")
}

func (never) Verify(context.Context, string, *tls.ConnectionState) error {
	return errors.New("not trusted")
}

// verdicts is a set without intakes whose policy terminates evil.test, and which writes
// entries to file.
func verdicts(t *testing.T, file string) *Set {
	t.Helper()
	table, err := policy.New([]policy.Rule{{Name: "evil", Host: []string{"evil.test"}, Action: policy.Terminate}}, policy.Bump)
	if err != nil {
		t.Fatal(err)
	}
	engine, err := decrypt.New(decrypt.Config{Policy: table, Forger: never{}, Verifier: never{}})
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	trail, err := audit.Open(audit.Options{File: file}, log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { trail.Close() })
	metrics := admin.NewMetrics("test")
	mirrors, err := feed.New(feed.Config{Metrics: metrics, Logger: log})
	if err != nil {
		t.Fatal(err)
	}
	return &Set{cfg: Config{
		Engine: func() *Engine { return &Engine{Engine: engine, Policy: table} },
		Book:   &sessions.Book{Metrics: metrics, Feed: mirrors, Audit: trail, Watch: watch.New(10), Logger: log},
	}, log: log}
}

// TestQUICVerdicts asks for verdicts as an intake does: policy decides where QUIC
// passes, everything is refused where it is blocked, and a flood of made-up clients does
// not fill the trail.
func TestQUICVerdicts(t *testing.T) {
	file := filepath.Join(t.TempDir(), "sessions.jsonl")
	s := verdicts(t, file)
	passes, blocks := s.peekQUIC("open", intake.PassQUIC), s.peekQUIC("shut", intake.BlockQUIC)
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { s.Serve(ctx); close(done) }()
	defer func() { stop(); <-done }()
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
		text, err := os.ReadFile(file)
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
	unwritten := s.cfg.Book.Unwritten()
	tempo.Until(t, "the entries of the flood", func() bool {
		return uint64(bytes.Count(trail(), []byte("\n")))+unwritten == 20_005
	})
	if unwritten < 10_000 {
		t.Errorf("%d entries of a flood of 20,000 were left out", unwritten)
	}
}
