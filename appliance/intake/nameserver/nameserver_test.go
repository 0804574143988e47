package nameserver

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// upstream is a server of the library, on UDP and TCP of one port.
func upstream(t *testing.T, handle dns.HandlerFunc) netip.AddrPort {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p, err := net.ListenPacket("udp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []*dns.Server{{Listener: l, Handler: handle}, {PacketConn: p, Handler: handle}} {
		started := make(chan struct{})
		s.NotifyStartedFunc = func() { close(started) }
		go s.ActivateAndServe()
		<-started
		t.Cleanup(func() { s.Shutdown() })
	}
	return l.Addr().(*net.TCPAddr).AddrPort()
}

// start serves until the test ends.
func start(t *testing.T, cfg Config, change ...func(*Server)) *Server {
	t.Helper()
	cfg.Listen = "127.0.0.1:0"
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range change {
		f(s)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		s.Wait()
	})
	return s
}

func record(t testing.TB, line string) dns.RR {
	t.Helper()
	rr, err := dns.NewRR(line)
	if err != nil {
		t.Fatal(err)
	}
	return rr
}

// closedPort is one on which nobody answers.
func closedPort(t *testing.T) netip.AddrPort {
	t.Helper()
	p, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	return p.LocalAddr().(*net.UDPAddr).AddrPort()
}

func TestForward(t *testing.T) {
	long := func(m *dns.Msg) {
		for i := range 40 {
			m.Answer = append(m.Answer, record(t, fmt.Sprintf("long.test. 60 IN TXT \"%d%s\"", i, strings.Repeat("x", 60))))
		}
	}
	to := upstream(t, func(w dns.ResponseWriter, q *dns.Msg) {
		m := new(dns.Msg).SetReply(q)
		size := dns.MinMsgSize
		if o := q.IsEdns0(); o != nil {
			size = int(o.UDPSize())
			m.SetEdns0(4096, o.Do())
		}
		switch q.Question[0].Name {
		case "WwW.test.":
			m.Answer = []dns.RR{record(t, "WwW.test. 60 IN HTTPS 1 . alpn=h2 "+key)}
		case "plain.test.":
			m.Answer = []dns.RR{record(t, "plain.test. 60 IN A 192.0.2.1")}
		case "long.test.":
			long(m)
		case "none.test.":
			m.Rcode = dns.RcodeNameError
		case "other.test.":
			m.Question[0].Name = "evil.test."
		}
		if w.RemoteAddr().Network() == "udp" {
			m.Truncate(size)
		}
		w.WriteMsg(m)
	})
	s := start(t, Config{Upstream: []netip.AddrPort{closedPort(t), to}, Timeout: time.Second})
	for _, network := range []string{"udp", "tcp"} {
		ask := func(name string, kind uint16, change func(*dns.Msg)) (*dns.Msg, error) {
			q := new(dns.Msg).SetQuestion(name, kind)
			if change != nil {
				change(q)
			}
			c := dns.Client{Net: network, Timeout: 10 * time.Second}
			answer, _, err := c.Exchange(q, s.Addr().String())
			return answer, err
		}
		t.Run(network, func(t *testing.T) {
			m, err := ask("WwW.test.", dns.TypeHTTPS, func(q *dns.Msg) { q.SetEdns0(1232, true) })
			if err != nil || len(m.Answer) != 1 || strings.Contains(m.Answer[0].String(), "ech") || !strings.Contains(m.Answer[0].String(), `alpn="h2"`) || m.IsEdns0() == nil {
				t.Errorf("%v, %v", m, err)
			}
			if m, err = ask("plain.test.", dns.TypeA, nil); err != nil || len(m.Answer) != 1 {
				t.Errorf("%v, %v", m, err)
			}
			if m, err = ask("long.test.", dns.TypeTXT, nil); err != nil || m.Truncated != (network == "udp") || len(m.Answer) == 40 == m.Truncated {
				t.Errorf("%d records, truncated %t, %v", len(m.Answer), m.Truncated, err)
			}
			for name, code := range map[string]int{"none.test.": dns.RcodeNameError, "other.test.": dns.RcodeServerFailure} {
				if m, err = ask(name, dns.TypeA, nil); err != nil || m.Rcode != code {
					t.Errorf("%s: %v, %v", name, m, err)
				}
			}
			if m, err = ask("test.", dns.TypeAXFR, nil); err != nil || m.Rcode != dns.RcodeRefused {
				t.Errorf("transfer: %v, %v", m, err)
			}
			if m, err = ask("test.", dns.TypeSOA, func(q *dns.Msg) { q.Opcode = dns.OpcodeNotify }); err != nil || m.Rcode != dns.RcodeNotImplemented {
				t.Errorf("notify: %v, %v", m, err)
			}
			if m, err = ask("a.test.", dns.TypeA, func(q *dns.Msg) { q.Question = append(q.Question, q.Question[0]) }); err != nil || m.Rcode != dns.RcodeFormatError {
				t.Errorf("two questions: %v, %v", m, err)
			}
		})
	}
	if got, want := s.Stats(), (Stats{Passed: 6, Stripped: 2, Failed: 2, Refused: 6}); got != want {
		t.Errorf("counted %+v, want %+v", got, want)
	}
}

// TestBounds: no answer to answers and to strangers, and no more at a time than
// agreed.
func TestBounds(t *testing.T) {
	var asked atomic.Int32
	release := make(chan struct{})
	to := upstream(t, func(w dns.ResponseWriter, q *dns.Msg) {
		if asked.Add(1); q.Question[0].Name == "held.test." {
			<-release
		}
		w.WriteMsg(new(dns.Msg).SetReply(q))
	})
	quiet := func(t *testing.T, s *Server, change func(*dns.Msg)) {
		t.Helper()
		q := new(dns.Msg).SetQuestion("a.test.", dns.TypeA)
		change(q)
		c := dns.Client{Timeout: 200 * time.Millisecond}
		if m, _, err := c.Exchange(q, s.Addr().String()); err == nil {
			t.Errorf("answered by %v", m)
		}
	}
	t.Run("an answer", func(t *testing.T) {
		quiet(t, start(t, Config{Upstream: []netip.AddrPort{to}}), func(q *dns.Msg) { q.Response = true })
	})
	t.Run("a stranger", func(t *testing.T) {
		s := start(t, Config{Upstream: []netip.AddrPort{to}, From: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}})
		quiet(t, s, func(*dns.Msg) {})
		c := dns.Client{Net: "tcp", Timeout: 5 * time.Second}
		if m, _, err := c.Exchange(new(dns.Msg).SetQuestion("a.test.", dns.TypeA), s.Addr().String()); err == nil {
			t.Errorf("answered by %v", m)
		}
		if n := s.Stats(); n.Refused != 2 || asked.Load() != 0 {
			t.Errorf("%+v, %d asked", n, asked.Load())
		}
	})
	t.Run("public addresses", func(t *testing.T) {
		s := &Server{}
		for address, want := range map[string]bool{"8.8.8.8": false, "2001:4860::1": false, "10.1.2.3": true, "::ffff:192.168.0.1": true, "fd00::1": true, "fe80::1%lo": true, "::1": true} {
			if s.permits(netip.MustParseAddr(address)) != want {
				t.Errorf("%s: want %t", address, want)
			}
		}
	})
	t.Run("many by TCP", func(t *testing.T) {
		s := start(t, Config{Upstream: []netip.AddrPort{to}})
		answered := 0
		for range maxPerClient + 5 {
			conn, err := net.Dial("tcp", s.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			conn.SetDeadline(time.Now().Add(10 * time.Second))
			c := &dns.Conn{Conn: conn}
			if c.WriteMsg(new(dns.Msg).SetQuestion("a.test.", dns.TypeA)) == nil {
				if _, err := c.ReadMsg(); err == nil {
					answered++
				}
			}
		}
		if n := s.Stats(); answered != maxPerClient || n.Dropped != 5 {
			t.Errorf("%d answered, %+v", answered, n)
		}
	})
	t.Run("many by UDP", func(t *testing.T) {
		s := start(t, Config{Upstream: []netip.AddrPort{to}, Timeout: 20 * time.Second}, func(s *Server) { s.slots = make(chan struct{}, 3) })
		conn, err := net.Dial("udp", s.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		q, err := new(dns.Msg).SetQuestion("held.test.", dns.TypeA).Pack()
		if err != nil {
			t.Fatal(err)
		}
		for end := time.Now().Add(10 * time.Second); s.Stats().Dropped < 5 && time.Now().Before(end); time.Sleep(time.Millisecond) {
			conn.Write(q)
		}
		if n := s.Stats(); n.Dropped < 5 {
			t.Errorf("%+v", n)
		}
		close(release)
		conn.SetReadDeadline(time.Now().Add(10 * time.Second))
		for range 3 {
			if _, err := conn.Read(make([]byte, 512)); err != nil {
				t.Error(err)
			}
		}
	})
}
