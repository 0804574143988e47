package h2_test

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/clearspan/clearspan/appliance/service/web/adapt"
	"github.com/clearspan/clearspan/appliance/service/web/webtest"
)

// peer is an end of an HTTP/2 session that the test writes by hand.
type peer struct {
	*http2.Framer
	t     *testing.T
	end   *webtest.Memory
	block bytes.Buffer
	coder *hpack.Encoder
	work  chan func()
}

// later has f write, after all that was said so far.
func (p *peer) later(f func()) { p.work <- f }

func newPeer(t *testing.T, end *webtest.Memory) *peer {
	p := &peer{t: t, end: end, Framer: http2.NewFramer(end, end)}
	p.AllowIllegalWrites = true
	p.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	p.coder = hpack.NewEncoder(&p.block)
	p.work = make(chan func(), 16)
	go func() {
		for f := range p.work {
			f()
		}
	}()
	t.Cleanup(func() { close(p.work) })
	return p
}

// say writes a header block of alternating names and values.
func (p *peer) header(id uint32, end bool, fields ...string) {
	p.block.Reset()
	for i := 0; i < len(fields); i += 2 {
		p.coder.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]})
	}
	p.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: p.block.Bytes(), EndHeaders: true, EndStream: end})
}

// next returns the next frame of a type, passing over others.
func next[F http2.Frame](p *peer) (found F) {
	p.t.Helper()
	for {
		f, err := p.ReadFrame()
		if err != nil {
			p.t.Fatalf("want %T: %v", found, err)
		}
		if f, ok := f.(F); ok {
			return f
		}
	}
}

// meet opens a session between two hand-written ends.
func meet(t *testing.T, cfg adapt.Config, settings ...http2.Setting) (sc *webtest.Scene, client, origin *peer) {
	sc = webtest.Play(t, cfg, "h2")
	client, origin = newPeer(t, sc.Client), newPeer(t, sc.Origin)
	client.later(func() {
		io.WriteString(client.end, http2.ClientPreface)
		client.WriteSettings()
	})
	p := make([]byte, len(http2.ClientPreface))
	io.ReadFull(origin.end, p)
	if string(p) != http2.ClientPreface {
		t.Fatalf("origin got %q", p)
	}
	next[*http2.SettingsFrame](origin)
	origin.later(func() { origin.WriteSettings(settings...) })
	next[*http2.SettingsFrame](client)
	return sc, client, origin
}

// maxFrame is the longest content of a frame (RFC 9113, Section 6.5.2).
const maxFrame = 16384

var get = []string{":method", "GET", ":scheme", "https", ":authority", "a", ":path", "/"}

// TestMalformedStreams has requests that could be taken for something else.
func TestMalformedStreams(t *testing.T) {
	for name, fields := range map[string][]string{
		"transfer-encoding":     append(get[:8:8], "transfer-encoding", "chunked"),
		"connection":            append(get[:8:8], "connection", "x"),
		"te":                    append(get[:8:8], "te", "gzip"),
		"two lengths":           append(get[:8:8], "content-length", "0", "content-length", "0"),
		"length without body":   append(get[:8:8], "content-length", "5"),
		"signed length":         append(get[:8:8], "content-length", "+0"),
		"capital":               append(get[:8:8], "X-A", "b"),
		"line feed":             append(get[:8:8], "x-a", "b\r\nc: d"),
		"space in path":         {":method", "GET", ":scheme", "https", ":authority", "a", ":path", "/ HTTP/1.1"},
		"path without slash":    {":method", "GET", ":scheme", "https", ":authority", "a", ":path", "x"},
		"bad method":            {":method", "GE T", ":scheme", "https", ":authority", "a", ":path", "/"},
		"no path":               get[:6],
		"two paths":             append(get[:8:8], ":path", "/"),
		"pseudo behind others":  {":method", "GET", "x", "y", ":scheme", "https", ":path", "/"},
		"another host":          append(get[:8:8], "host", "b"),
		"path in authority":     {":method", "GET", ":scheme", "https", ":authority", "a/b", ":path", "/"},
		"user in authority":     {":method", "GET", ":scheme", "https", ":authority", "b@a", ":path", "/"},
		"two ports":             {":method", "GET", ":scheme", "https", ":authority", "a:80:81", ":path", "/"},
		"doubtful host":         {":method", "GET", ":scheme", "https", ":path", "/", "host", "a, b"},
		"status in request":     append(get[:8:8], ":status", "200"),
		"colon in name":         append(get[:8:8], "a:b", "c"),
		"unknown pseudo-header": append(get[:8:8], ":other", "c"),
	} {
		t.Run(name, func(t *testing.T) {
			sc, client, origin := meet(t, webtest.One(webtest.Preview(9)))
			client.later(func() {
				client.header(1, true, fields...)
				client.header(3, true, get...)
			})
			if f := next[*http2.RSTStreamFrame](client); f.StreamID != 1 || f.ErrCode != http2.ErrCodeProtocol {
				t.Errorf("got %v", f)
			}
			if f := next[*http2.MetaHeadersFrame](origin); f.StreamID != 1 || f.PseudoValue("path") != "/" || len(f.Fields) != 4 {
				t.Errorf("origin got %v", f)
			}
			sc.Client.Abort()
			sc.End()
		})
	}
}

// TestMalformedWithContent has content behind a header block that is malformed. The
// connection stays good.
func TestMalformedWithContent(t *testing.T) {
	sc, client, origin := meet(t, webtest.One(webtest.Preview(9)))
	client.later(func() {
		client.header(1, false, append(get[:8:8], "X-A", "b")...)
		client.WriteData(1, true, []byte("content"))
		client.header(3, true, get...)
	})
	if f := next[*http2.RSTStreamFrame](client); f.StreamID != 1 || f.ErrCode != http2.ErrCodeProtocol {
		t.Errorf("got %v", f)
	}
	if f := next[*http2.MetaHeadersFrame](origin); f.StreamID != 1 || len(f.Fields) != 4 {
		t.Errorf("origin got %v", f)
	}
	sc.Client.Abort()
	sc.End()
}

// TestViolations has ends that break the rules of the connection.
func TestViolations(t *testing.T) {
	for name, breach := range map[string]func(client, origin *peer){
		"data on an idle stream":  func(c, _ *peer) { c.WriteData(5, false, []byte("x")) },
		"reset of an idle stream": func(c, _ *peer) { c.WriteRSTStream(5, http2.ErrCodeCancel) },
		"even stream":             func(c, _ *peer) { c.header(2, true, get...) },
		"continuation alone":      func(c, _ *peer) { c.WriteContinuation(1, true, nil) },
		"frame too long":          func(c, _ *peer) { c.WriteRawFrame(http2.FrameData, 0, 1, make([]byte, maxFrame+1)) },
		"window overflow":         func(c, _ *peer) { c.WriteWindowUpdate(0, 1<<31-1) },
		"bad table index":         func(c, _ *peer) { c.WriteRawFrame(http2.FrameHeaders, 5, 1, []byte{0xff, 0xff, 0x7f}) },
		"push": func(_, o *peer) {
			o.WritePushPromise(http2.PushPromiseParam{StreamID: 1, PromiseID: 2, EndHeaders: true})
		},
		"response unasked":         func(_, o *peer) { o.header(1, true, ":status", "200") },
		"too much for the window":  func(c, _ *peer) { flood := make([]byte, maxFrame); c.header(1, false, get...); say2(c, flood, 6) },
		"answer on unknown stream": func(_, o *peer) { o.WriteData(7, true, nil) },
	} {
		t.Run(name, func(t *testing.T) {
			sc, client, origin := meet(t, adapt.Config{})
			// One of them writes, behind what it said before.
			client.later(func() { origin.later(func() { breach(client, origin) }) })
			go io.Copy(io.Discard, sc.Client)
			go io.Copy(io.Discard, sc.Origin)
			err := sc.End()
			if r := webtest.ReasonOf(err); !strings.HasSuffix(r, "-protocol") {
				t.Errorf("ended for %q", r)
			}
		})
	}
	sc := webtest.Play(t, adapt.Config{}, "h2")
	go io.WriteString(sc.Client, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	if r := webtest.ReasonOf(sc.End()); r != "http-request-protocol" {
		t.Errorf("ended for %q", r)
	}
}

func say2(p *peer, data []byte, n int) {
	for range n {
		p.WriteData(1, false, data)
	}
}

// TestNoTunnels: what the services could not read is not offered, and not granted.
func TestNoTunnels(t *testing.T) {
	for _, upgrade := range []adapt.Passage{adapt.Block, adapt.Scan} {
		cfg := webtest.One(webtest.Preview(9))
		cfg.Upgrade = upgrade
		sc := webtest.Play(t, cfg, "h2")
		client, origin := newPeer(t, sc.Client), newPeer(t, sc.Origin)
		client.later(func() {
			io.WriteString(client.end, http2.ClientPreface)
			client.WriteSettings()
		})
		io.CopyN(io.Discard, origin.end, int64(len(http2.ClientPreface)))
		next[*http2.SettingsFrame](origin)
		origin.later(func() { origin.WriteSettings(http2.Setting{ID: http2.SettingEnableConnectProtocol, Val: 1}) })
		if v, ok := next[*http2.SettingsFrame](client).Value(http2.SettingEnableConnectProtocol); ok {
			t.Errorf("%s: client was told of extended CONNECT: %d", upgrade, v)
		}
		client.later(func() {
			client.header(1, false, ":method", "CONNECT", ":protocol", "websocket", ":scheme", "https", ":authority", "a", ":path", "/")
		})
		if f := next[*http2.MetaHeadersFrame](client); f.PseudoValue("status") != "403" {
			t.Errorf("%s: client got %v", upgrade, f)
		}
	}
}

// TestEndToEnd has what is not a message pass from end to end.
func TestEndToEnd(t *testing.T) {
	_, client, origin := meet(t, webtest.One(webtest.Preview(9)), http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: 7}, http2.Setting{ID: http2.SettingEnableConnectProtocol, Val: 1})
	client.later(func() { client.WritePing(false, [8]byte{1, 2}) })
	if f := next[*http2.PingFrame](origin); f.IsAck() || f.Data != [8]byte{1, 2} {
		t.Errorf("origin got %v", f)
	}
	origin.later(func() { origin.WritePing(true, [8]byte{1, 2}) })
	if f := next[*http2.PingFrame](client); !f.IsAck() {
		t.Errorf("client got %v", f)
	}
	origin.later(func() { origin.WriteSettings(http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: 9}) })
	if f := next[*http2.SettingsFrame](client); f.IsAck() {
		f = next[*http2.SettingsFrame](client)
		if v, _ := f.Value(http2.SettingMaxConcurrentStreams); v != 9 {
			t.Errorf("client got %v", f)
		}
	}

	// Extended CONNECT is a tunnel that no service sees.
	client.later(func() {
		client.header(1, false, ":method", "CONNECT", ":protocol", "websocket", ":scheme", "https", ":authority", "a", ":path", "/")
	})
	if f := next[*http2.MetaHeadersFrame](origin); f.PseudoValue("protocol") != "websocket" {
		t.Errorf("origin got %v", f)
	}
	origin.later(func() { origin.header(1, false, ":status", "200") })
	next[*http2.MetaHeadersFrame](client)
	client.later(func() { client.WriteDataPadded(1, false, []byte("up"), make([]byte, 10)) })
	if f := next[*http2.DataFrame](origin); string(f.Data()) != "up" {
		t.Errorf("origin got %q", f.Data())
	}
	origin.later(func() { origin.WriteData(1, false, []byte("down")) })
	if f := next[*http2.DataFrame](client); string(f.Data()) != "down" {
		t.Errorf("client got %q", f.Data())
	}

	origin.later(func() { origin.WriteGoAway(1, http2.ErrCodeNo, []byte("maintenance")) })
	if f := next[*http2.GoAwayFrame](client); f.LastStreamID != 1 || string(f.DebugData()) != "maintenance" {
		t.Errorf("client got %v", f)
	}
	client.later(func() { client.header(3, true, get...) })
	if f := next[*http2.RSTStreamFrame](client); f.StreamID != 3 || f.ErrCode != http2.ErrCodeRefusedStream {
		t.Errorf("client got %v", f)
	}
}

// content reads at least n octets of content.
func content(p *peer, n int) (got string) {
	p.t.Helper()
	for len(got) < n {
		f := next[*http2.DataFrame](p)
		if f.StreamEnded() {
			p.t.Error("stream ended early")
		}
		got += string(f.Data())
	}
	return got
}

// TestWindows has receivers whose windows are small, and change.
func TestWindows(t *testing.T) {
	for name, cfg := range map[string]adapt.Config{"relayed": {}, "held": webtest.One(webtest.Preview(9))} {
		t.Run(name, func(t *testing.T) {
			sc, client, origin := meet(t, cfg, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 10})
			client.later(func() {
				client.header(1, false, get...)
				client.WriteData(1, true, []byte("0123456789abcdefghij"))
			})
			next[*http2.MetaHeadersFrame](origin)
			if got := content(origin, 10); got != "0123456789" {
				t.Errorf("origin got %q", got)
			}
			origin.later(func() { origin.WriteWindowUpdate(1, 5) })
			if got := content(origin, 5); got != "abcde" {
				t.Errorf("origin got %q", got)
			}
			origin.later(func() { origin.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 12}) })
			if got := content(origin, 2); got != "fg" {
				t.Errorf("origin got %q", got)
			}
			origin.later(func() { origin.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 10}) })
			origin.later(func() { origin.WriteWindowUpdate(1, 2) })
			time.Sleep(20 * time.Millisecond)
			origin.later(func() { origin.WriteWindowUpdate(1, 3) })
			got := ""
			for end := false; !end; {
				f := next[*http2.DataFrame](origin)
				got, end = got+string(f.Data()), f.StreamEnded()
			}
			if got != "hij" {
				t.Errorf("origin got %q", got)
			}
			sc.Client.Abort()
			sc.End()
		})
	}
}
