package conformance_test

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/clearspan/clearspan/mirror"
	"github.com/clearspan/clearspan/mirror/conformance"
	"github.com/clearspan/clearspan/mirror/mirrortest"
)

// octets returns n octets without a pattern.
func octets(n int) string {
	p := make([]byte, n)
	source := rand.NewChaCha8([32]byte{byte(n)})
	source.Read(p)
	return string(p)
}

// sound are captures that break no rule.
var sound = []struct {
	name string
	make func() []capture
}{
	{"IPv4", func() []capture { return []capture{session(flow4)} }},
	{"IPv6", func() []capture { return []capture{session(flow6)} }},
	{"VLAN", func() []capture { return []capture{tagged(flow4), tagged(flow6)} }},
	{"much data both ways", func() []capture {
		return []capture{talk(flow4, mirror.Options{}, 1500, word{toOrigin, octets(300_000)}, word{toClient, octets(200_000)}, word{toOrigin, octets(1)}, word{toClient, octets(300_000)})}
	}},
	{"sequence wrap", func() []capture {
		return []capture{
			talk(flow4, mirror.Options{ISN: func() uint32 { return 1<<32 - 20000 }}, 1500, word{toOrigin, octets(100_000)}, word{toClient, octets(100_000)}),
			talk(flow6, mirror.Options{ISN: func() uint32 { return 1<<32 - 1 }}, 1500, word{toOrigin, octets(10)}),
		}
	}},
	{"MTU 576", func() []capture {
		return []capture{talk(flow4, mirror.Options{}, 576, word{toClient, octets(100_000)})}
	}},
	{"no data", func() []capture { return []capture{talk(flow4, mirror.Options{}, 1500)} }},
	{"reset", func() []capture {
		recorder := &mirrortest.Recorder{}
		c := mirror.Open(recorder, flow4, mirror.Options{})
		c.Data(toOrigin, []byte("request"))
		c.Reset(toClient)
		return []capture{{frames: recorder.Frames()}}
	}},
	{"refused", func() []capture {
		c := session(flow4)
		c.drop(2, 9)
		c.edit(1, func(f []byte) { f[tcp4+13] = 0x14 })
		return []capture{c}
	}},
	{"ports used again after the end", func() []capture { return []capture{session(flow4), session(flow4)} }},
	{"the last ACK is missing", changed(func(c *capture) { c.drop(8, 9) })},
	{"keep-alive", changed(func(c *capture) {
		c.insert(6, 8, func(f []byte) { again(f); add32(f, seqAt, -2); add32(f, ackAt, -1) })
	})},
	{"HTTP/1 on 443", said(443, word{toOrigin, "GET / HTTP/1.1\r\n\r\n"}, word{toClient, "HTTP/1.1 204 No Content\r\n\r\n"})},
	{"IMAP on 143", said(143, word{toClient, "* OK ready\r\n"}, word{toOrigin, "a logout\r\n"})},
	{"octets like TLS later on", said(80, word{toOrigin, "GET / HTTP/1.1\r\n\r\n"}, word{toClient, record(22, 10)[:1]})},
	{"STARTTLS concealed", said(25, word{toClient, "220 mail\r\n"}, word{toOrigin, "EHLO a\r\n"}, word{toClient, "250 mail\r\n"}, word{toOrigin, "EHLO a\r\n"}, word{toClient, "250 mail\r\n"},
		word{toOrigin, "MAIL FROM:<a@b>\r\n"}, word{toClient, "250 ok\r\n"})},
	{"STARTTLS refused", said(25, word{toClient, "220 mail\r\n"}, word{toOrigin, "STARTTLS\r\n"}, word{toClient, "454 no\r\n"}, word{toOrigin, "QUIT\r\n"})},
	{"STARTTLS in the text of a mail", said(25, word{toClient, "220 mail\r\n"}, word{toOrigin, "EHLO a\r\n"}, word{toClient, "250 mail\r\n"}, word{toOrigin, "MAIL FROM:<a@b>\r\n"}, word{toClient, "250 ok\r\n"},
		word{toOrigin, "DATA\r\n"}, word{toClient, "354 go\r\n"}, word{toOrigin, "STARTTLS\r\n"}, word{toClient, "220 odd\r\n"}, word{toOrigin, "text\r\n"})},
	{"IMAP STARTTLS refused", said(143, word{toClient, "* OK ready\r\n"}, word{toOrigin, "a STARTTLS\r\n"}, word{toClient, "* 1 EXISTS\r\na BAD no\r\n"}, word{toOrigin, "b LOGIN a b\r\n"}, word{toClient, "b OK\r\n"})},
	{"SMTP AUTH", said(25, word{toClient, "220 mail\r\n"}, word{toOrigin, "AUTH PLAIN x\r\n"}, word{toClient, "235 ok\r\n"}, word{toOrigin, "STARTTLS\r\n"}, word{toClient, "220 ok\r\n"}, word{toOrigin, "x\r\n"})},
}

func tagged(flow mirror.Flow) capture {
	return talk(flow, mirror.Options{Mark: mirror.Mark{VLAN: 7}}, 1500, word{toOrigin, "request"}, word{toClient, octets(5000)})
}

func TestSoundCapturesBreakNothing(t *testing.T) {
	for _, tt := range sound {
		t.Run(tt.name, func(t *testing.T) {
			r := judge(conformance.Options{}, tt.make()...)
			breaks(t, r)
			if !r.Ready || r.Missing != 0 || r.Verdict() != "READY: nothing here that a recorder stumbles over" {
				t.Errorf("%+v", r)
			}
		})
	}
}

// TestMTUOption: longer packets are sound where the port takes them.
func TestMTUOption(t *testing.T) {
	c := talk(flow6, mirror.Options{}, 9000, word{toClient, octets(100_000)})
	breaks(t, judge(conformance.Options{MTU: 9000}, c))
	breaks(t, judge(conformance.Options{MTU: 8999}, c), conformance.MTU, conformance.SYNOptions)
}

// TestNothingToJudge: an empty capture is not ready.
func TestNothingToJudge(t *testing.T) {
	r := judge(conformance.Options{})
	if r.Ready || !strings.HasPrefix(r.Verdict(), "NOT READY: no TCP") {
		t.Errorf("ready %t: %s", r.Ready, r.Verdict())
	}
	for _, result := range r.Results {
		if result.Status != conformance.NotSeen {
			t.Errorf("%s: %s", result.Rule, result.Status)
		}
	}
}

// TestGapsAreMeasured: loss is told in octets and is no disorder.
func TestGapsAreMeasured(t *testing.T) {
	recorder := &mirrortest.Recorder{}
	c := mirror.Open(recorder, flow4, mirror.Options{})
	var want uint64
	for n := range uint64(20) { // more than are remembered at a time
		c.Data(toClient, []byte("octets"))
		c.Skip(toClient, 1000+n, "lost")
		want += 1000 + n
	}
	c.Data(toClient, []byte("octets"))
	c.Close()
	r := judge(conformance.Options{}, capture{frames: recorder.Frames()})
	breaks(t, r, conformance.Gap)
	if r.Missing != want || r.Results[conformance.Gap].Count != 20 || r.Octets != 21*6 {
		t.Errorf("%d octets missing in %d gaps, want %d; %d octets there", r.Missing, r.Results[conformance.Gap].Count, want, r.Octets)
	}
	if text := r.Results[conformance.Gap].First[1].Text; text != "1001 octets missing, 1012 into the stream" {
		t.Errorf("second gap: %s", text)
	}
}

// TestDisorderIsNoGap shuffles segments; the octets come all.
func TestDisorderIsNoGap(t *testing.T) {
	c := talk(flow4, mirror.Options{}, 1500, word{toClient, octets(7 * 1448)})
	for i, j := range []int{2, 0, 1, 6, 5, 3, 4} { // at most a few holes at a time
		c.frames[3+i], c.frames[3+j] = c.frames[3+j], c.frames[3+i]
	}
	r := judge(conformance.Options{}, c)
	breaks(t, r, conformance.Order)
	if r.Missing != 0 || r.Octets != 7*1448 {
		t.Errorf("%d octets missing, %d there", r.Missing, r.Octets)
	}
}

func TestCut(t *testing.T) {
	before, after := session(onPort(flow4, 50001)), session(onPort(flow4, 50002))
	before.drop(0, 4)
	after.drop(5, 9)
	r := judge(conformance.Options{Cut: true}, before, session(flow4), after)
	breaks(t, r)
	if !r.Ready || r.Cut != 1 || r.Open != 1 || r.Conversations != 3 {
		t.Errorf("%d conversations, %d cut, %d open, ready %t", r.Conversations, r.Cut, r.Open, r.Ready)
	}
	breaks(t, judge(conformance.Options{}, before, session(flow4), after), conformance.Handshake, conformance.End)

	t.Run("none begins", func(t *testing.T) {
		other := session(flow4)
		other.drop(0, 3)
		r := judge(conformance.Options{Cut: true}, before, other)
		breaks(t, r, conformance.Handshake)
		if r.Ready || r.Results[conformance.Handshake].Count != 2 {
			t.Errorf("%+v", r.Results[conformance.Handshake])
		}
	})
	t.Run("one side only", func(t *testing.T) {
		c := only(talk(flow4, mirror.Options{}, 1500, word{toClient, octets(30_000)}), false)
		r := judge(conformance.Options{Cut: true}, capture{frames: c.frames[1:10]}, session(onPort(flow4, 50001)))
		breaks(t, r, conformance.OneSided)
	})
}

// TestMemoryIsBounded follows many more conversations than are remembered.
func TestMemoryIsBounded(t *testing.T) {
	const limit, all = 10, 1000
	one := session(flow4)
	var sound capture
	for i := range uint16(all) { // each begins, then each ends
		sound.frames = append(sound.frames, moved(one.frames[:5], 1024+i)...)
	}
	for i := range uint16(all) {
		sound.frames = append(sound.frames, moved(one.frames[5:], 1024+i)...)
	}
	r := judge(conformance.Options{Conversations: limit}, sound)
	for _, result := range r.Results {
		if result.Status == conformance.Fail {
			t.Errorf("%+v", result)
		}
	}
	if r.Conversations != all || r.GivenUp < all-limit {
		t.Errorf("%d conversations, %d given up", r.Conversations, r.GivenUp)
	}
	if n := len(r.Results[conformance.ISN].First); n > 5 {
		t.Errorf("%d occurrences kept", n)
	}
}

// moved returns frames of a session with another client's port.
func moved(frames [][]byte, port uint16) [][]byte {
	frames = slices.Clone(frames)
	for i, f := range frames {
		f = bytes.Clone(f)
		at := tcp4
		if get16(f, at) != flow4.Client.Port() {
			at += 2
		}
		put16(f, at, port)
		fix(f)
		frames[i] = f
	}
	return frames
}

// TestAddDoesNotAllocate for frames of conversations that are known.
func TestAddDoesNotAllocate(t *testing.T) {
	recorder := &mirrortest.Recorder{}
	c := mirror.Open(recorder, flow4, mirror.Options{})
	for range 50 {
		c.Data(toOrigin, []byte(octets(100)))
		c.Data(toClient, []byte(octets(40_000)))
	}
	frames := recorder.Frames()
	checker := conformance.New(conformance.Options{})
	for _, f := range frames[:100] {
		checker.Add(f, 0, start)
	}
	next := 100
	if n := testing.AllocsPerRun(1000, func() { checker.Add(frames[next], 0, start); next++ }); n != 0 {
		t.Errorf("%v allocations a frame", n)
	}
}

func BenchmarkAdd(b *testing.B) {
	recorder := &mirrortest.Recorder{}
	c := mirror.Open(recorder, flow4, mirror.Options{})
	for range 64 {
		c.Data(toClient, []byte(octets(16<<10)))
	}
	c.Close()
	frames := recorder.Frames()
	size := 0
	for _, f := range frames {
		size += len(f)
	}
	b.SetBytes(int64(size))
	b.ReportAllocs()
	for b.Loop() {
		checker := conformance.New(conformance.Options{})
		for _, f := range frames {
			checker.Add(f, 0, start)
		}
	}
}

func TestText(t *testing.T) {
	c := session(toPort(flow4, 80))
	c.frames[4][len(c.frames[4])-1] ^= 1
	var b bytes.Buffer
	r := judge(conformance.Options{}, c)
	if err := r.WriteText(&b); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		"9 frames in 8ms, 9 of TCP in 1 conversations, 2.1 kB of payload\n",
		"\nok        ip-sum           IPv4 header checksums are good: 9 frames\n",
		"\nnot seen  ip6-length       IPv6 payload length agrees with the frame: none of these\n",
		"\nFAIL      tcp-sum          TCP checksums are good: broken by 1 of 9 frames\n",
		" frame 5 at 2026-01-02 03:04:05.005000, 198.51.100.2:80 > 192.0.2.1:50000: 0x",
		"\nNOT READY: 1 of 44 rules broken: tcp-sum\n",
	} {
		if !strings.Contains(b.String(), line) {
			t.Errorf("no %q in\n%s", line, b.String())
		}
	}
	for n, want := range map[uint64]string{0: "0 B", 999: "999 B", 1000: "1.0 kB", 1_500_000: "1.5 MB", 1 << 60: "1152921.5 TB"} {
		if got := conformance.Size(n); got != want {
			t.Errorf("%d octets are %s, want %s", n, got, want)
		}
	}
}

// TestIdentifiers: scripts rely on them.
func TestIdentifiers(t *testing.T) {
	want := "frame snap capture-time capture-order duplicate mtu runt padding mac-zero mac-loopback mac-group ip-sum ip-length ip6-length fragment df ip-id tcp-sum partial-sum " +
		"handshake syn-options isn reuse one-sided gap order retransmission overlap conflict ack-before-data no-ack unacked window window-full tcp-time after-end end " +
		"tls-hello tls-port port starttls tls http2 other"
	var got []string
	for _, rule := range conformance.Rules() {
		got = append(got, rule.String())
		if rule.Title() == "" || !strings.HasSuffix(rule.Meaning(), ".") {
			t.Errorf("%s is not described", rule)
		}
	}
	if s := strings.Join(got, " "); s != want {
		t.Errorf("identifiers\n%s, want\n%s", s, want)
	}
}
