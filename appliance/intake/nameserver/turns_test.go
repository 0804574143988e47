package nameserver

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/clearspan/clearspan/hack/tempo"
)

// serve runs a server with sockets that others have, too. The function waits for its end.
func serve(t *testing.T, cfg Config, held Sockets) (s *Server, ended func()) {
	t.Helper()
	files, err := held.Files()
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Sockets, err = SocketsOf(files); err != nil {
		t.Fatal(err)
	}
	if s, err = New(cfg); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { s.Serve(context.Background()); close(done) }()
	ended = func() {
		t.Helper()
		select {
		case <-done:
			s.Wait()
		case <-time.After(time.Minute):
			t.Fatal("the server does not end")
		}
	}
	t.Cleanup(func() { s.Close(); ended() })
	return s, ended
}

// TestTakesTurns has servers take each other's place under queries: each of them is
// answered at the first attempt.
func TestTakesTurns(t *testing.T) {
	to := upstream(t, func(w dns.ResponseWriter, q *dns.Msg) {
		time.Sleep(time.Millisecond) // so that some are under way at each change
		w.WriteMsg(new(dns.Msg).SetReply(q))
	})
	held, err := Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	cfg := Config{Upstream: []netip.AddrPort{to}, Timeout: 30 * time.Second}
	first, ended := serve(t, cfg, held)
	var done, failed atomic.Int64
	var why atomic.Value
	var end atomic.Bool
	var clients sync.WaitGroup
	for _, network := range []string{"udp", "udp", "tcp", "tcp"} {
		clients.Go(func() {
			for !end.Load() {
				c := dns.Client{Net: network, Timeout: 30 * time.Second}
				if _, _, err := c.Exchange(new(dns.Msg).SetQuestion("a.test.", dns.TypeA), held.TCP.Addr().String()); err != nil {
					failed.Add(1)
					why.CompareAndSwap(nil, err.Error())
				}
				done.Add(1)
			}
		})
	}
	for range 10 {
		enough := done.Load() + 20
		tempo.Until(t, "queries", func() bool { return done.Load() >= enough })
		next, nextEnded := serve(t, cfg, held)
		first.Close()
		ended()
		first, ended = next, nextEnded
	}
	end.Store(true)
	clients.Wait()
	if failed.Load() > 0 {
		t.Errorf("%d of %d queries failed: %v", failed.Load(), done.Load(), why.Load())
	}
}

// TestCloseAnswers: what was asked before Close is answered, a connection by TCP may ask once
// more, and a silent one ends.
func TestCloseAnswers(t *testing.T) {
	release := make(chan struct{})
	var asked atomic.Int32
	to := upstream(t, func(w dns.ResponseWriter, q *dns.Msg) {
		if asked.Add(1); q.Question[0].Name == "held.test." {
			<-release
		}
		w.WriteMsg(new(dns.Msg).SetReply(q))
	})
	held, err := Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	s, ended := serve(t, Config{Upstream: []netip.AddrPort{to}, Timeout: 30 * time.Second}, held)
	var conns []*dns.Conn
	for _, network := range []string{"udp", "tcp"} {
		raw, err := net.Dial(network, s.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer raw.Close()
		raw.SetDeadline(time.Now().Add(time.Minute))
		c := &dns.Conn{Conn: raw}
		if err := c.WriteMsg(new(dns.Msg).SetQuestion("held.test.", dns.TypeA)); err != nil {
			t.Fatal(err)
		}
		conns = append(conns, c)
	}
	tempo.Until(t, "both are asked", func() bool { return asked.Load() == 2 })
	s.Close()
	close(release)
	for _, c := range conns {
		if _, err := c.ReadMsg(); err != nil {
			t.Errorf("%s: %v", c.RemoteAddr().Network(), err)
		}
	}
	if err := conns[1].WriteMsg(new(dns.Msg).SetQuestion("a.test.", dns.TypeA)); err != nil {
		t.Fatal(err)
	}
	if _, err := conns[1].ReadMsg(); err != nil {
		t.Errorf("asked again: %v", err)
	}
	ended()
}

// TestSocketsOf refuses what is no pair of sockets.
func TestSocketsOf(t *testing.T) {
	held, err := Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	for _, order := range [][]int{{}, {0}, {1, 0}, {0, 0}} {
		files, err := held.Files()
		if err != nil {
			t.Fatal(err)
		}
		chosen := files[:0:0]
		for _, i := range order {
			chosen = append(chosen, files[i])
		}
		if s, err := SocketsOf(chosen); err == nil {
			s.Close()
			t.Errorf("%v: no error", order)
		}
		for _, f := range files {
			f.Close()
		}
	}
	if s, err := New(Config{Listen: ":53", Upstream: []netip.AddrPort{netip.MustParseAddrPort("192.0.2.1:53")}}); err == nil {
		s.Close()
		t.Error("an address that answers from another one")
	}
	s, err := New(Config{Listen: "127.0.0.1:0", Upstream: []netip.AddrPort{netip.MustParseAddrPort("192.0.2.1:53")}})
	if err != nil {
		t.Fatal(err)
	}
	s.Close() // before it serves
	s.Wait()
	if err := s.Serve(context.Background()); err != nil {
		t.Error(err)
	}
	if err := s.sockets.UDP.Close(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("its socket is open: %v", err)
	}
}
