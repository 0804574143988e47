package feed

import (
	"errors"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/clearspan/clearspan/appliance/audit"
	"github.com/clearspan/clearspan/appliance/facts"
	"github.com/clearspan/clearspan/appliance/feed/http2"
	"github.com/clearspan/clearspan/decrypt"
	"github.com/clearspan/clearspan/decrypt/policy"
	"github.com/clearspan/clearspan/mirror"
	"github.com/clearspan/clearspan/mirror/mirrortest"
)

// recording returns a sink onto a recording sink.
func recording(name string, content ...decrypt.Content) (*sink, *mirrortest.Recorder) {
	r := &mirrortest.Recorder{}
	o := &sink{name: name, pairs: newPairs(http2.NewPorts()), ports: mirror.Balance{r}, close: func() error { return nil }}
	for _, c := range content {
		o.content[c] = true
	}
	return o, r
}

// counts is a [Metrics] of one mirror.
type counts struct {
	lost       map[string]uint64
	frames     uint64
	octets     uint64
	transcoded audit.Transcoded
}

func (c *counts) Sink(string, []string, []string) {}
func (c *counts) Mirrored(_ string, frames, octets uint64) {
	c.frames += frames
	c.octets += octets
}
func (c *counts) MirrorLost(_, reason string, octets uint64) {
	if c.lost == nil {
		c.lost = make(map[string]uint64)
	}
	c.lost[reason] += octets
}
func (c *counts) Transcoded(_ string, streams, octets, replaced, raw uint64, reason string) {
	t := &c.transcoded
	t.Streams, t.Octets, t.Replaced, t.Raw, t.Reason = t.Streams+streams, t.Octets+octets, t.Replaced+replaced, t.Raw+raw, reason
}

func session(outcome decrypt.Outcome) *decrypt.Session {
	return &decrypt.Session{
		ID: "0123456789abcdef", Outcome: outcome, SNI: "mail.example.test",
		Client: netip.MustParseAddrPort("198.51.100.2:50000"),
		Origin: netip.MustParseAddrPort("192.0.2.10:993"),
	}
}

// play sends a dialogue that turns to TLS through a feed.
func play(f *Feed, s *decrypt.Session) *fanout {
	t := f.Open(s)
	if t == nil {
		return nil
	}
	t.Data(decrypt.OriginToClient, decrypt.Plain, []byte("* OK hello\r\n"))
	t.Data(decrypt.ClientToOrigin, decrypt.Upgrade, []byte("a STARTTLS\r\n"))
	t.Data(decrypt.OriginToClient, decrypt.Upgrade, []byte("a OK go\r\n"))
	t.Data(decrypt.ClientToOrigin, decrypt.Decrypted, []byte("b LOGOUT\r\n"))
	t.Data(decrypt.OriginToClient, decrypt.Decrypted, []byte("b OK\r\n"))
	t.End(decrypt.ClientToOrigin, decrypt.Finished)
	t.End(decrypt.OriginToClient, decrypt.Finished)
	t.Close()
	return t.(*fanout)
}

// TestFacts: the audit entry misses no reply of a dialogue that leads to TLS, so that the
// reply to a message is its own.
func TestFacts(t *testing.T) {
	keeps, _ := recording("keeps", decrypt.Decrypted, decrypt.Plain)
	st := (&Feed{sinks: []*sink{keeps}, facts: new(facts.Options)}).Open(session(decrypt.Passed)).(*fanout)
	up := func(content decrypt.Content, text string) { st.Data(decrypt.ClientToOrigin, content, []byte(text)) }
	down := func(content decrypt.Content, text string) { st.Data(decrypt.OriginToClient, content, []byte(text)) }
	down(decrypt.Plain, "220 a ESMTP\r\n")
	up(decrypt.Plain, "EHLO c\r\n")
	st.Assemble(decrypt.OriginToClient, []decrypt.Part{{N: 7, Content: decrypt.Plain}, {N: 14, Content: decrypt.Upgrade}, {N: 10, Content: decrypt.Plain}}, []byte("250-a\r\n250-STARTTLS\r\n250 SIZE\r\n"))
	up(decrypt.Upgrade, "STARTTLS\r\n")
	down(decrypt.Upgrade, "220 go\r\n")
	for _, turn := range [][2]string{{"EHLO c\r\n", "250 a\r\n"}, {"MAIL FROM:<a@b>\r\n", "250 ok\r\n"}, {"DATA\r\n", "354 go\r\n"}, {"x\r\n.\r\n", "251 taken\r\n"}, {"QUIT\r\n", "221 bye\r\n"}} {
		up(decrypt.Decrypted, turn[0])
		down(decrypt.Decrypted, turn[1])
	}
	if r := st.facts.Close(); len(r.Mail) != 1 || r.Mail[0].Reply != 251 {
		t.Errorf("%+v", r)
	}
	st.Close()
}

// What is left of octets that were relayed together is in one segment.
func TestFeedAssembles(t *testing.T) {
	conceals, c := recording("conceals", decrypt.Decrypted, decrypt.Plain)
	keeps, k := recording("keeps", decrypt.Decrypted, decrypt.Plain, decrypt.Upgrade)
	st := (&Feed{sinks: []*sink{conceals, keeps}}).Open(session(decrypt.Passed)).(*fanout)
	st.Assemble(decrypt.OriginToClient, []decrypt.Part{{N: 4, Content: decrypt.Plain}, {N: 7, Content: decrypt.Upgrade}, {N: 3, Content: decrypt.Plain}}, []byte("one STARTTLS two"[:14]))
	st.Assemble(decrypt.ClientToOrigin, []decrypt.Part{{N: 3, Content: decrypt.Upgrade}, {N: 2, Content: decrypt.Upgrade}}, []byte("abcde"))
	st.Close()
	for _, want := range []struct {
		recorder *mirrortest.Recorder
		segments []string
	}{{c, []string{"one S t"}}, {k, []string{"one STARTTLS t", "abcde"}}} {
		var got []string
		var decoder mirrortest.Decoder
		for _, f := range want.recorder.Frames() {
			segment, err := decoder.Decode(f)
			if err != nil {
				t.Fatal(err)
			}
			if len(segment.Payload) > 0 {
				got = append(got, string(segment.Payload))
			}
		}
		if diff := cmp.Diff(want.segments, got); diff != "" {
			t.Errorf("segments (-want +got):\n%s", diff)
		}
	}
}

func TestFeedContent(t *testing.T) {
	const relayed = 12 + 12 + 9 + 10 + 6
	for _, tt := range []struct {
		name     string
		content  []decrypt.Content
		up, down string
		lost     uint64
		reason   string
	}{
		{"concealed", []decrypt.Content{decrypt.Decrypted, decrypt.Plain}, "b LOGOUT\r\n", "* OK hello\r\nb OK\r\n", 21, "concealed"},
		{"kept", []decrypt.Content{decrypt.Decrypted, decrypt.Plain, decrypt.Upgrade}, "a STARTTLS\r\nb LOGOUT\r\n", "* OK hello\r\na OK go\r\nb OK\r\n", 0, ""},
		{"decrypted only", []decrypt.Content{decrypt.Decrypted}, "b LOGOUT\r\n", "b OK\r\n", 33, "concealed,unselected"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o, r := recording("recorder", tt.content...)
			st := play(&Feed{sinks: []*sink{o}}, session(decrypt.Passed))
			streams, err := mirrortest.Streams(r.Frames())
			if err != nil {
				t.Fatal(err)
			}
			if string(streams[0]) != tt.up || string(streams[1]) != tt.down {
				t.Errorf("recorded %q and %q", streams[0], streams[1])
			}
			mirrors, flow := st.report()
			m := mirrors["recorder"]
			if m.Octets+m.Lost != relayed || m.Lost != tt.lost || m.Reason != tt.reason {
				t.Errorf("account %+v of %d octets", m, relayed)
			}
			if flow == nil || flow.Ports["recorder"] != 143 || flow.Origin.Port() != 143 {
				t.Errorf("flow %+v, want port 143", flow)
			}
			notes := strings.Join(r.Notes(), "\n")
			if !strings.Contains(notes, "community_id=1:") || !strings.Contains(notes, "session=0123456789abcdef") || !strings.Contains(notes, "content=decrypted") {
				t.Errorf("notes %q", notes)
			}
		})
	}
}

// TestFeedHTTP2 shows one session on a sink as it is and on another as
// HTTP/1.1.
func TestFeedHTTP2(t *testing.T) {
	for _, tt := range []struct {
		name       string
		alpn       string
		protocol   string
		outcome    decrypt.Outcome
		content    decrypt.Content
		transcoded bool
	}{
		{"h2", "h2", "tls", decrypt.Bumped, decrypt.Decrypted, true},
		{"prior knowledge", "", "http2", decrypt.Passed, decrypt.Plain, true},
		{"another protocol", "http/1.1", "tls", decrypt.Bumped, decrypt.Decrypted, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			keep, kept := recording("keep", decrypt.Decrypted, decrypt.Plain)
			zeek, shown := recording("zeek", decrypt.Decrypted, decrypt.Plain)
			zeek.streams = http2.NewPorts()
			var counted counts
			zeek.metrics = &counted
			s := session(tt.outcome)
			s.ALPN, s.Protocol, s.Origin = tt.alpn, tt.protocol, netip.MustParseAddrPort("192.0.2.10:443")
			st := (&Feed{sinks: []*sink{keep, zeek}}).Open(s)
			const settings = "\x00\x00\x00\x04\x00\x00\x00\x00\x00"
			const request = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + settings + "\x00\x00\x03\x01\x05\x00\x00\x00\x01\x82\x84\x87"
			const answer = settings + "\x00\x00\x01\x01\x04\x00\x00\x00\x01\x88" + "\x00\x00\x02\x00\x01\x00\x00\x00\x01hi"
			st.Data(decrypt.ClientToOrigin, tt.content, []byte(request))
			st.Data(decrypt.OriginToClient, tt.content, []byte(answer))
			st.Close()
			mirrors, flow := st.(*fanout).report()
			for name, m := range mirrors {
				if m.Octets != uint64(len(request+answer)) || m.Lost != 0 {
					t.Errorf("%s: %+v", name, m)
				}
			}
			if streams, err := mirrortest.Streams(kept.Frames()); err != nil || string(streams[0]) != request || string(streams[1]) != answer {
				t.Errorf("kept %q, %v", streams, err)
			}
			streams, err := mirrortest.Streams(shown.Frames())
			if err != nil {
				t.Fatal(err)
			}
			m := mirrors["zeek"]
			if !tt.transcoded {
				if string(streams[0]) != request || m.Transcoded != nil || counted.transcoded != (audit.Transcoded{}) {
					t.Errorf("shown %q, %+v", streams, m)
				}
				return
			}
			if string(streams[0]) != "GET / HTTP/1.1\r\nhost: \r\n\r\n" || !strings.HasSuffix(string(streams[1]), "2\r\nhi\r\n0\r\n\r\n") {
				t.Errorf("shown %q", streams)
			}
			if m.Transcoded == nil || m.Transcoded.Streams != 1 || m.Transcoded.Octets != uint64(len(streams[0])+len(streams[1])) {
				t.Errorf("account %+v", m.Transcoded)
			}
			if got := counted.transcoded; got.Streams != 1 || got.Octets != m.Transcoded.Octets {
				t.Errorf("counted %+v", got)
			}
			if len(m.Streams) != 1 || m.Streams[0].ID != 1 || m.Streams[0].Port < 20480 || flow.Ports["zeek"] != 443 {
				t.Errorf("streams %v, flow %+v", m.Streams, flow)
			}
			if want := map[string]uint16{"h2": 80}[tt.alpn]; want != 0 && flow.Ports["keep"] != want {
				t.Errorf("kept on port %d", flow.Ports["keep"])
			}
		})
	}
}

// TestFeedIsolation has one sink that fails: the other gets everything.
func TestFeedIsolation(t *testing.T) {
	bad, failing := recording("bad", decrypt.Decrypted, decrypt.Plain)
	failing.Fail = func([]mirror.Frame) (int, error) { return 0, mirror.ErrFull }
	good, r := recording("good", decrypt.Decrypted, decrypt.Plain)
	var counted counts
	bad.metrics = &counted
	st := play(&Feed{sinks: []*sink{bad, good}}, session(decrypt.Passed))
	if _, err := mirrortest.Streams(r.Frames()); err != nil {
		t.Error(err)
	}
	mirrors, _ := st.report()
	if m := mirrors["bad"]; m.Octets != 0 || m.Lost != 49 || m.Reason != "concealed,queue-full" {
		t.Errorf("failing sink: %+v", m)
	}
	if counted.lost["queue-full"] != 28 || counted.lost["concealed"] != 21 {
		t.Errorf("metrics counted %v", counted.lost)
	}
}

// TestFeedTunnel: a tunnel that nobody listens to has no stream, so that the
// engine may splice it.
func TestFeedTunnel(t *testing.T) {
	deaf, _ := recording("deaf", decrypt.Decrypted, decrypt.Plain)
	if s := (&Feed{sinks: []*sink{deaf}}).Open(session(decrypt.Tunneling)); s != nil {
		t.Error("a stream for a tunnel that no sink takes")
	}
	raw, r := recording("raw", decrypt.Tunneled)
	s := (&Feed{sinks: []*sink{deaf, raw}}).Open(session(decrypt.Tunneling))
	s.Data(decrypt.ClientToOrigin, decrypt.Tunneled, []byte{22, 3, 1})
	s.End(decrypt.ClientToOrigin, decrypt.Reset)
	s.Close()
	if streams, err := mirrortest.Streams(r.Frames()); err != nil || len(streams[0]) != 3 {
		t.Errorf("recorded %q, %v", streams, err)
	}
	if _, ok := s.(*fanout).report(); ok == nil {
		t.Error("no flow reported")
	}
}

// TestFeedTreatment: what a rule keeps from a sink is counted as unselected,
// also when another rule decides in the middle.
func TestFeedTreatment(t *testing.T) {
	const relayed = 12 + 12 + 9 + 10 + 6
	only := func(names ...string) *policy.Treatment {
		return &policy.Treatment{Mirrors: &policy.Mirrors{Names: names}}
	}
	for _, tt := range []struct {
		name          string
		before, after *policy.Treatment // TLS begins between them
		up, down      string            // on a
		lost          uint64
		reason        string
	}{
		{"this one", only("a"), only("a"), "a STARTTLS\r\nb LOGOUT\r\n", "* OK hello\r\na OK go\r\nb OK\r\n", 0, ""},
		{"another one", only("b"), only("b"), "", "", relayed, "unselected"},
		{"none", only(), only(), "", "", relayed, "unselected"},
		{"this one, then another", only("a"), only("b"), "a STARTTLS\r\n", "* OK hello\r\na OK go\r\n", 16, "unselected"},
		{"another, then this one", only("b"), nil, "b LOGOUT\r\n", "b OK\r\n", 33, "unselected"},
		{"one class", &policy.Treatment{Content: []string{"decrypted"}}, &policy.Treatment{Content: []string{"decrypted"}}, "b LOGOUT\r\n", "b OK\r\n", 33, "unselected"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o, r := recording("a", decrypt.Decrypted, decrypt.Plain, decrypt.Upgrade)
			s := session(decrypt.Passed)
			s.Decision.Treatment = tt.before
			st := (&Feed{sinks: []*sink{o}}).Open(s).(*fanout)
			st.Data(decrypt.OriginToClient, decrypt.Plain, []byte("* OK hello\r\n"))
			st.Data(decrypt.ClientToOrigin, decrypt.Upgrade, []byte("a STARTTLS\r\n"))
			st.Data(decrypt.OriginToClient, decrypt.Upgrade, []byte("a OK go\r\n"))
			s.Decision.Treatment = tt.after
			st.Data(decrypt.ClientToOrigin, decrypt.Decrypted, []byte("b LOGOUT\r\n"))
			st.Data(decrypt.OriginToClient, decrypt.Decrypted, []byte("b OK\r\n"))
			st.Close()
			if frames := r.Frames(); len(frames) > 0 || tt.up != "" {
				streams, err := mirrortest.Streams(frames)
				if err != nil || string(streams[0]) != tt.up || string(streams[1]) != tt.down {
					t.Errorf("recorded %q, %v", streams, err)
				}
			}
			mirrors, _ := st.report()
			if m := mirrors["a"]; m.Octets+m.Lost != relayed || m.Lost != tt.lost || m.Reason != tt.reason {
				t.Errorf("account %+v of %d octets", m, relayed)
			}
		})
	}
}

// TestFeedHiddenTunnel: a tunnel that its rule keeps from every sink is spliced,
// and accounted for while it is open.
func TestFeedHiddenTunnel(t *testing.T) {
	raw, _ := recording("raw", decrypt.Tunneled)
	deaf, _ := recording("deaf", decrypt.Decrypted)
	var count counts
	raw.metrics = &count
	f := &Feed{sinks: []*sink{raw, deaf}}
	s := session(decrypt.Tunneling)
	s.Decision.Treatment = &policy.Treatment{Mirrors: &policy.Mirrors{Names: []string{"deaf"}}}
	st, ok := f.Open(s).(decrypt.Blind)
	if !ok {
		t.Fatal("a tunnel that is shown nowhere cannot be spliced")
	}
	st.Passed(decrypt.ClientToOrigin, 100)
	st.Passed(decrypt.OriginToClient, 1000)
	st.Data(decrypt.OriginToClient, decrypt.Tunneled, []byte("abc"))
	want := map[string]audit.Mirror{"raw": {Lost: 1103, Reason: lostUnselected}}
	if diff := cmp.Diff(want, f.Progress(st)); diff != "" || count.lost[lostUnselected] != 1103 || s.Missed() != 0 {
		t.Errorf("while it is open (-want +got):\n%s, metrics %v", diff, count.lost)
	}
	st.Close()
	if diff := cmp.Diff(want, f.Report(s, st).Mirrors); diff != "" || count.lost[lostUnselected] != 1103 {
		t.Errorf("at its end (-want +got):\n%s, metrics %v", diff, count.lost)
	}
	if st := (&Feed{sinks: []*sink{deaf}}).Open(s); st != nil {
		t.Error("a stream for a tunnel that no sink takes")
	}
	if st := f.unmirrored(s); st != nil {
		t.Error("an account of no octets")
	}
	if st := f.unmirrored(session(decrypt.Failed)); st != nil {
		t.Error("an account of a session that failed")
	}
}

func TestFeedClose(t *testing.T) {
	o, _ := recording("x")
	o.close = func() error { return errors.New("disk") }
	if err := (&Feed{sinks: []*sink{o}}).Close(); err == nil {
		t.Error("error of a sink is lost")
	}
}

// A recorder is told names that the origin has proven or the DNS has confirmed, not
// what a client says alone.
func TestFeedNamesProvenOrigins(t *testing.T) {
	const sni, proxied = "mail.example.test", "proxied.example.test"
	for _, row := range []struct {
		name   string
		change func(*decrypt.Session)
		late   bool // found while the session goes on
		want   []string
	}{
		{"good certificate", func(s *decrypt.Session) { s.OriginTLS.Verdict = "ok" }, false, []string{sni}},
		{"self-signed certificate", func(s *decrypt.Session) { s.OriginTLS.Verdict = "self-signed" }, false, nil},
		{"certificate of another name", func(s *decrypt.Session) { s.OriginTLS.Verdict = "name-mismatch" }, false, nil},
		{"nobody knows", func(*decrypt.Session) {}, false, nil},
		{"confirmed by the DNS", (*decrypt.Session).Resolved, false, []string{sni}},
		{"confirmed by the DNS meanwhile", (*decrypt.Session).Resolved, true, []string{sni}},
		{"name of a proxy request", func(s *decrypt.Session) { s.Name = proxied }, false, []string{proxied}},
		{"proxy request that went elsewhere", func(s *decrypt.Session) {
			s.Name, s.Destination = proxied, netip.MustParseAddrPort("192.0.2.11:993")
			s.Resolved()
		}, false, []string{sni}},
		{"address in place of a name", func(s *decrypt.Session) { s.SNI, s.OriginTLS.Verdict = "192.0.2.10", "ok" }, false, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			o, _ := recording("files", decrypt.Decrypted, decrypt.Plain)
			told := map[string]bool{}
			o.named = func(addr netip.Addr, name string) {
				if addr != netip.MustParseAddr("192.0.2.10") {
					t.Errorf("%s is called %s", addr, name)
				}
				told[name] = true
			}
			s := session(decrypt.Bumped)
			if !row.late {
				row.change(s)
			}
			st := (&Feed{sinks: []*sink{o}}).Open(s)
			st.Data(decrypt.ClientToOrigin, decrypt.Decrypted, []byte("b LOGOUT\r\n"))
			if row.late {
				row.change(s)
			}
			st.Close()
			got := slices.Sorted(maps.Keys(told))
			if diff := cmp.Diff(row.want, got); diff != "" {
				t.Errorf("names (-want +got):\n%s", diff)
			}
		})
	}
}
