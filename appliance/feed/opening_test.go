package feed

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/clearspan/clearspan/appliance/facts"
	"github.com/clearspan/clearspan/decrypt"
	"github.com/clearspan/clearspan/mirror/mirrortest"
)

// TestPortByProtocol: recorders see the port of the protocol, whatever the origin's port
// is and however the protocol is told. No octet is lost or changes its place.
func TestPortByProtocol(t *testing.T) {
	type turn struct {
		dir  decrypt.Direction
		text string
	}
	up := func(s string) turn { return turn{decrypt.ClientToOrigin, s} }
	down := func(s string) turn { return turn{decrypt.OriginToClient, s} }
	for _, tt := range []struct {
		name  string
		port  uint16
		alpn  string
		turns []turn
		want  uint16
	}{
		{"HTTP/2 of a cluster", 6443, "h2", []turn{up("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")}, 80},
		{"HTTP/2 without ALPN", 50051, "", []turn{up("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")}, 80},
		{"HTTP/1.1 stays", 9443, "http/1.1", []turn{up("GET / HTTP/1.1\r\n\r\n")}, 9443},
		{"MQTT", 8883, "", []turn{up("\x10\x0d\x00\x04MQTT\x04\x02\x00\x3c\x00\x01a")}, 1883},
		{"MQTT in pieces on 443", 443, "", []turn{up("\x10"), up("\x0d"), up("\x00\x04MQ"), up("TT\x04\x02")}, 1883},
		{"MQTT by ALPN", 8884, "mqtt", []turn{up("x")}, 1883},
		{"IMAP", 1993, "", []turn{down("* OK hi\r\n"), up("a LOGOUT\r\n")}, 143},
		{"NNTP", 563, "", []turn{down("200 hi\r\n"), up("QUIT\r\n")}, 119},
		{"SMTP that its client tells", 4465, "", []turn{down("220 a.test\r\n"), up("EHLO c\r\n"), down("250 a.test\r\n")}, 25},
		{"FTP that its client tells", 4990, "", []turn{down("220 hi\r\n"), up("USER a\r\n")}, 21},
		{"a greeting that tells nothing", 990, "", []turn{down("220 hi\r\n"), up("NOOP\r\n")}, 21},
		{"unknown on a port of TLS", 5671, "", []turn{up("\xff\xfe"), down("\x01")}, 5672},
		{"unknown elsewhere", 7777, "", []turn{up("\xff\xfe"), down("\x01")}, 7777},
		{"nothing said", 993, "", nil, 143},
		{"MySQL within TLS", 3307, "", []turn{down("\x4a\x00\x00\x00\x0a8.0.36\x00")}, 3306},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o, r := recording("recorder", decrypt.Decrypted, decrypt.Plain)
			s := session(decrypt.Bumped)
			s.ALPN, s.Protocol, s.Origin = tt.alpn, "tls", netip.AddrPortFrom(s.Origin.Addr(), tt.port)
			st := (&Feed{sinks: []*sink{o}}).Open(s).(*fanout)
			var want [2]string
			for _, turn := range tt.turns {
				p := []byte(turn.text)
				st.Data(turn.dir, decrypt.Decrypted, p)
				clear(p) // it was borrowed
				want[turn.dir] += turn.text
			}
			st.End(decrypt.ClientToOrigin, decrypt.Finished)
			st.End(decrypt.OriginToClient, decrypt.Finished)
			st.Close()
			streams, err := mirrortest.Streams(r.Frames())
			if err != nil || string(streams[0]) != want[0] || string(streams[1]) != want[1] {
				t.Errorf("recorded %q, %v, want %q", streams, err, want)
			}
			mirrors, flow := st.report()
			if flow == nil || flow.Ports["recorder"] != tt.want || mirrors["recorder"].Lost != 0 {
				t.Fatalf("flow %+v, account %+v, want port %d", flow, mirrors, tt.want)
			}
			notes := strings.Join(r.Notes(), "\n")
			if told := strings.Contains(notes, " origin="+s.Origin.String()); told != (tt.want != tt.port) {
				t.Errorf("notes %q", notes)
			}
		})
	}
}

// TestHeldOctetsAreBounded: a session that never tells its protocol is shown all the
// same, and soon.
func TestHeldOctetsAreBounded(t *testing.T) {
	o, r := recording("recorder", decrypt.Decrypted)
	s := session(decrypt.Bumped)
	s.Protocol = "tls"
	st := (&Feed{sinks: []*sink{o}}).Open(s)
	for range 2 * maxHeld {
		st.Data(decrypt.ClientToOrigin, decrypt.Decrypted, []byte("A"))
	}
	if len(r.Frames()) < maxHeld {
		t.Errorf("%d frames while the session goes on", len(r.Frames()))
	}
	st.Close()
	if streams, err := mirrortest.Streams(r.Frames()); err != nil || len(streams[0]) != 2*maxHeld {
		t.Errorf("%d octets, %v", len(streams[0]), err)
	}
}

// TestPairsStayApart: two sessions of one client port to different ports of an origin
// are two conversations, also where both are shown on one port.
func TestPairsStayApart(t *testing.T) {
	o, r := recording("recorder", decrypt.Decrypted)
	f := &Feed{sinks: []*sink{o}}
	open := func(port uint16) *fanout {
		s := session(decrypt.Bumped)
		s.ALPN, s.Origin = "h2", netip.AddrPortFrom(s.Origin.Addr(), port)
		return f.Open(s).(*fanout)
	}
	first, second := open(443), open(8443)
	first.Close()
	second.Close()
	third := open(8443)
	third.Close()
	_, a := first.report()
	_, b := second.report()
	_, c := third.report()
	if a.Origin != b.Origin || a.Origin.Port() != 80 || a.Client == b.Client || a.Client.Port() != 50000 {
		t.Errorf("shown as %v > %v and %v > %v", a.Client, a.Origin, b.Client, b.Origin)
	}
	if c.Client != a.Client {
		t.Errorf("%v, though the port is free again", c.Client)
	}
	if notes := strings.Join(r.Notes(), "\n"); !strings.Contains(notes, " client=198.51.100.2:50000") {
		t.Errorf("the true port is not told: %q", notes)
	}
	for i := range o.pairs.shards {
		if n := len(o.pairs.shards[i].open); n != 0 {
			t.Errorf("%d pairs are kept", n)
		}
	}
}

// TestFactsWithoutMirrors: the audit entry does not depend on there being a recorder.
func TestFactsWithoutMirrors(t *testing.T) {
	hidden, _ := recording("hidden", decrypt.Tunneled)
	for name, f := range map[string]*Feed{
		"no mirror":               {facts: new(facts.Options)},
		"a mirror that shows not": {facts: new(facts.Options), sinks: []*sink{hidden}},
	} {
		for outcome, content := range map[decrypt.Outcome]decrypt.Content{decrypt.Bumped: decrypt.Decrypted, decrypt.Passed: decrypt.Plain} {
			s := session(outcome)
			st := f.Open(s)
			if st == nil {
				t.Errorf("%s: nobody reads %v", name, content)
				continue
			}
			st.Data(decrypt.ClientToOrigin, content, []byte("GET /page HTTP/1.1\r\nHost: a.test\r\n\r\n"))
			st.Data(decrypt.OriginToClient, content, []byte("HTTP/1.1 204 No Content\r\n\r\n"))
			st.Close()
			if r := f.Report(s, st); len(r.Facts.HTTP) != 1 || r.Facts.HTTP[0].Path != "/page" || r.Facts.HTTP[0].Status != 204 {
				t.Errorf("%s, %v: %+v", name, content, r.Facts)
			}
		}
	}
	if (&Feed{facts: new(facts.Options)}).Open(session(decrypt.Tunneling)) != nil || new(Feed).Open(session(decrypt.Bumped)) != nil {
		t.Error("a stream that nobody reads")
	}
}
