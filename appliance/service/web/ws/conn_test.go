package ws_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/clearspan/clearspan/appliance/service/web/adapt"
	"github.com/clearspan/clearspan/appliance/service/web/webtest"
	"github.com/clearspan/clearspan/decrypt/proto/websocket"
)

const (
	handshake = "GET /chat?room=1 HTTP/1.1\r\nHost: a.test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nCookie: secret\r\nOrigin: https://b.test\r\n"
	offer     = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"
	version   = "Sec-WebSocket-Version: 13\r\n\r\n"
	granted   = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n"
)

var key = [4]byte{7, 0, 0xff, 0x35}

// scan is a configuration with one service that scans messages.
func scan(a adapt.Adapter, change func(*adapt.Config)) adapt.Config {
	cfg := webtest.One(handled{a})
	cfg.Upgrade, cfg.Services[0].WebSocket = adapt.Scan, true
	if change != nil {
		change(&cfg)
	}
	return cfg
}

// handled shows its adapter messages of WebSocket only.
type handled struct{ adapt.Adapter }

func (h handled) Adapt(ctx context.Context, m *adapt.Message) (*adapt.Result, error) {
	if !m.WebSocket {
		return webtest.Preview(0)(ctx, m)
	}
	return h.Adapter.Adapt(ctx, m)
}

// open begins a session up to the granted upgrade.
func open(t *testing.T, cfg adapt.Config) *webtest.Scene {
	t.Helper()
	sc := webtest.Play(t, cfg, "http/1.1")
	go webtest.Say(sc.Client, []byte(handshake+offer+version), nil)
	if got := webtest.Hear(t, sc.Origin, len(handshake+version)); got != handshake+version {
		t.Fatalf("origin heard %q", got)
	}
	go webtest.Say(sc.Origin, []byte(granted+"\r\n"), nil)
	if got := webtest.Hear(t, sc.Client, len(granted+"\r\n")); got != granted+"\r\n" {
		t.Fatalf("client heard %q", got)
	}
	return sc
}

func client(op websocket.Opcode, s string) []byte {
	return websocket.AppendFrame(nil, op, &key, []byte(s))
}

func origin(op websocket.Opcode, s string) []byte {
	return websocket.AppendFrame(nil, op, nil, []byte(s))
}

// part makes a frame one that does not end its message.
func part(frame []byte) []byte {
	frame[0] &^= 0x80
	return frame
}

// said is all that ends hear of frames that pass: a fragmented message with a control
// frame in it, messages of every form of length, and a Close frame.
func said(make func(websocket.Opcode, string) []byte) (sent, heard []byte) {
	ping := make(websocket.Ping, "are you there")
	fragments := bytes.Join([][]byte{part(make(websocket.Text, "frag")), part(make(websocket.Continuation, "")), make(websocket.Continuation, "ments")}, nil)
	rest := bytes.Join([][]byte{
		make(websocket.Binary, ""), make(websocket.Binary, strings.Repeat("long", 100)),
		make(websocket.Text, strings.Repeat("longer ", 12_000)), make(websocket.Pong, ""), make(websocket.Close, "\x03\xe8bye"),
	}, nil)
	first := len(fragments) - len(make(websocket.Continuation, "ments"))
	sent = bytes.Join([][]byte{fragments[:first], ping, fragments[first:], rest}, nil)
	heard = bytes.Join([][]byte{ping, fragments, rest}, nil)
	return sent, heard
}

// TestUnchanged: what no service changes passes as it came, however it is cut.
func TestUnchanged(t *testing.T) {
	for name, a := range map[string]adapt.Adapter{
		"read": webtest.EICAR(), "not read": webtest.Preview(0), "streamed": webtest.Streaming(), "equal": echo(), "failing open": webtest.Failing(1 << 30),
	} {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(20) {
				sc := open(t, scan(a, func(c *adapt.Config) { c.Services[0].FailOpen = true }))
				up, upHeard := said(client)
				down, downHeard := said(origin)
				go func() {
					webtest.Say(sc.Client, up, rand.New(rand.NewPCG(seed, 1)))
					sc.Client.CloseWrite()
				}()
				go func() {
					webtest.Say(sc.Origin, down, rand.New(rand.NewPCG(seed, 2)))
					sc.Origin.CloseWrite()
				}()
				got := make(chan []byte)
				go func() {
					all, _ := io.ReadAll(sc.Origin)
					got <- all
				}()
				all, err := io.ReadAll(sc.Client)
				if atOrigin := <-got; err != nil || !bytes.Equal(all, downHeard) || !bytes.Equal(atOrigin, upHeard) {
					t.Fatalf("seed %d: client heard %d of %d octets, origin %d of %d, %v", seed, len(all), len(downHeard), len(atOrigin), len(upHeard), err)
				}
				if err := sc.End(); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// echo replaces each message by its equal.
func echo() webtest.AdapterFunc {
	return func(_ context.Context, m *adapt.Message) (*adapt.Result, error) {
		h := m.Request
		if m.Kind == adapt.Response {
			h = m.Response
		}
		all, err := io.ReadAll(m.Body)
		return &adapt.Result{Outcome: adapt.Modified, Header: h, Body: io.NopCloser(bytes.NewReader(all))}, err
	}
}

// TestCuts: a short session passes, cut at every place.
func TestCuts(t *testing.T) {
	up := bytes.Join([][]byte{part(client(websocket.Text, "a")), client(websocket.Ping, "p"), client(websocket.Continuation, "b"), client(websocket.Close, "")}, nil)
	want := bytes.Join([][]byte{client(websocket.Ping, "p"), part(client(websocket.Text, "a")), client(websocket.Continuation, "b"), client(websocket.Close, "")}, nil)
	for cut := 1; cut < len(up); cut++ {
		sc := open(t, scan(webtest.EICAR(), nil))
		go func() {
			webtest.Say(sc.Client, up[:cut], nil)
			webtest.Say(sc.Client, up[cut:], nil)
			sc.Client.CloseWrite()
			sc.Origin.CloseWrite()
		}()
		if got := webtest.Hear(t, sc.Origin, len(want)); got != string(want) {
			t.Fatalf("cut at %d: origin heard %q", cut, got)
		}
		io.ReadAll(sc.Client)
		if err := sc.End(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestShown: a service sees messages as HTTP that says where they belong.
func TestShown(t *testing.T) {
	seen := make(chan string, 2)
	sc := open(t, scan(webtest.AdapterFunc(func(_ context.Context, m *adapt.Message) (*adapt.Result, error) {
		all, err := io.ReadAll(m.Body)
		seen <- string(m.Request) + string(m.Response) + string(all)
		return webtest.Unmodified(m, all), err
	}), nil))
	const request = "POST /chat?room=1 HTTP/1.1\r\nHost: a.test\r\nOrigin: https://b.test\r\n"
	go webtest.Say(sc.Client, client(websocket.Text, "hello"), nil)
	if got, want := <-seen, request+"Content-Type: text/plain; charset=utf-8\r\nX-WebSocket-Opcode: text\r\nContent-Length: 5\r\n\r\nhello"; got != want {
		t.Errorf("request %q, want %q", got, want)
	}
	webtest.Hear(t, sc.Origin, len(client(websocket.Text, "hello")))
	go webtest.Say(sc.Origin, origin(websocket.Binary, "hi"), nil)
	want := request + "Content-Length: 0\r\n\r\nHTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nX-WebSocket-Opcode: binary\r\nContent-Length: 2\r\n\r\nhi"
	if got := <-seen; got != want {
		t.Errorf("response %q, want %q", got, want)
	}
}

// TestModified: content that a service changed goes on as one message.
func TestModified(t *testing.T) {
	sc := open(t, scan(webtest.Shout(), nil))
	go func() {
		webtest.Say(sc.Client, part(client(websocket.Text, "he")), nil)
		webtest.Say(sc.Client, client(websocket.Continuation, "llo"), nil)
	}()
	frame := []byte(webtest.Hear(t, sc.Origin, len(client(websocket.Text, "hello"))))
	content, err := io.ReadAll(websocket.NewContent(frame))
	if frame[0] != 0x81 || frame[1] != 0x85 || string(content) != "HELLO" || err != nil {
		t.Errorf("origin got %x with %q, %v", frame, content, err)
	}
	go webtest.Say(sc.Origin, origin(websocket.Text, "hello"), nil)
	if got := webtest.Hear(t, sc.Client, 7); got != string(origin(websocket.Text, "HELLO")) {
		t.Errorf("client got %q", got)
	}
}

// TestClosed: what must not pass closes the connection with a code, at both ends.
func TestClosed(t *testing.T) {
	stuck := webtest.AdapterFunc(func(ctx context.Context, _ *adapt.Message) (*adapt.Result, error) {
		return nil, errors.New("no answer")
	})
	long := func(c *adapt.Config) { c.Services[0].MaxBody = 1 << 40 }
	huge := strings.Repeat("x", 16<<20)
	for _, tt := range []struct {
		name         string
		service      adapt.Adapter
		change       func(*adapt.Config)
		up, down     []byte
		code         uint16
		reason, word string
	}{
		{"blocked of the client", webtest.EICAR(), nil, client(websocket.Text, "EICAR"), nil, 1008, "", "blocked"},
		{"blocked of the origin", webtest.EICAR(), nil, nil, origin(websocket.Binary, "EICAR"), 1008, "", "blocked"},
		{"blocked in fragments", webtest.EICAR(), nil, append(part(client(websocket.Text, "EIC")), client(websocket.Continuation, "AR")...), nil, 1008, "", "blocked"},
		{"failing closed", stuck, nil, client(websocket.Text, "a"), nil, 1011, "", "failed-closed"},
		{"too long", webtest.EICAR(), long, client(websocket.Text, huge), nil, 1009, "http-request-websocket-size", "unmodified"},
		{"no mask", webtest.EICAR(), nil, origin(websocket.Text, "a"), nil, 1002, "http-request-websocket-frame", "unmodified"},
		{"a mask", webtest.EICAR(), nil, nil, client(websocket.Text, "a"), 1002, "http-response-websocket-frame", "unmodified"},
		{"compressed", webtest.EICAR(), nil, nil, append([]byte{0xc1}, origin(websocket.Text, "a")[1:]...), 1002, "http-response-websocket-frame", "unmodified"},
		{"invalid close", webtest.EICAR(), nil, client(websocket.Close, "\x03"), nil, 1002, "http-request-websocket-frame", "unmodified"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cfg := scan(tt.service, tt.change)
			cfg.Linger = 10 * time.Second
			sc := open(t, cfg)
			go webtest.Say(sc.Client, tt.up, nil)
			go webtest.Say(sc.Origin, tt.down, nil)
			atOrigin := make(chan []byte)
			go func() {
				all, _ := io.ReadAll(sc.Origin)
				sc.Origin.CloseWrite()
				atOrigin <- all
			}()
			all, _ := io.ReadAll(sc.Client)
			sc.Client.CloseWrite()
			for end, p := range map[string][]byte{"client": all, "origin": <-atOrigin} {
				content, _ := io.ReadAll(websocket.NewContent(p))
				if len(p) < 4 || p[0] != 0x88 || p[1]>>7 == 1 != (end == "origin") || uint16(content[0])<<8|uint16(content[1]) != tt.code {
					t.Errorf("%s heard %.100q %.100q, not only code %d", end, p, content, tt.code)
				}
			}
			if got := webtest.ReasonOf(sc.End()); got != tt.reason {
				t.Errorf("session ended with %q, want %q", got, tt.reason)
			}
			if got := sc.Account.Services()["av"]; got != tt.word {
				t.Errorf("entry says %q, want %q", got, tt.word)
			}
		})
	}
}

// TestLong: a message that is too long passes a service that fails open, or that
// bypasses it, and the others are still seen.
func TestLong(t *testing.T) {
	huge := strings.Repeat("x", 16<<20)
	for name, change := range map[string]func(*adapt.Config){
		"open":         func(c *adapt.Config) { c.Services[0].FailOpen = true },
		"by its limit": func(c *adapt.Config) { c.Services[0].MaxBody = 1 << 20 },
	} {
		sc := open(t, scan(webtest.EICAR(), change))
		up := append(client(websocket.Binary, huge), client(websocket.Text, "fine")...)
		go webtest.Say(sc.Client, up, nil)
		if got := webtest.Hear(t, sc.Origin, len(up)); got != string(up) {
			t.Errorf("%s: origin heard other octets", name)
		}
		if got := sc.Account.Services()["av"]; got != "bypassed" {
			t.Errorf("%s: entry says %q", name, got)
		}
		go webtest.Say(sc.Client, client(websocket.Text, "EICAR"), nil)
		if got := webtest.Hear(t, sc.Origin, 1); got != "\x88" {
			t.Errorf("%s: origin heard %q", name, got)
		}
	}
}

// TestNeighbour: a service that does not scan messages is passed, and told so.
func TestNeighbour(t *testing.T) {
	sc := open(t, scan(webtest.EICAR(), func(c *adapt.Config) {
		c.Services = append(c.Services, webtest.Both("other", handled{webtest.Shout()}))
	}))
	go webtest.Say(sc.Client, client(websocket.Text, "hello"), nil)
	if got, want := webtest.Hear(t, sc.Origin, 11), string(client(websocket.Text, "hello")); got != want {
		t.Errorf("origin got %q, want %q", got, want)
	}
	if got := sc.Account.Services(); got["av"] != "unmodified" || got["other"] != "bypassed" {
		t.Errorf("entry says %v", got)
	}
}

// TestRefused: an upgrade whose messages could not be read is blocked.
func TestRefused(t *testing.T) {
	for _, tt := range []struct{ name, request, answer string }{
		{"extension", handshake + version, granted + "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"},
		{"empty extension", handshake + version, granted + "Sec-WebSocket-Extensions:\r\n\r\n"},
		{"other protocol", handshake + version, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: foo\r\nConnection: Upgrade\r\n\r\n"},
		{"two protocols", handshake + version, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket, foo\r\nConnection: Upgrade\r\n\r\n"},
		{"not asked for", strings.Replace(handshake, "websocket", "foo", 1) + version, granted + "\r\n"},
		{"CONNECT", "CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			sc := webtest.Play(t, scan(webtest.EICAR(), nil), "http/1.1")
			go webtest.Say(sc.Client, []byte(tt.request), nil)
			webtest.Hear(t, sc.Origin, len(tt.request))
			go webtest.Say(sc.Origin, []byte(tt.answer), nil)
			if got := webtest.Hear(t, sc.Client, 12); got != "HTTP/1.1 502" {
				t.Errorf("client heard %q", got)
			}
			go io.Copy(io.Discard, sc.Client)
			sc.Client.CloseWrite()
			if got := webtest.ReasonOf(sc.End()); got != "http-response-upgrade" {
				t.Errorf("session ended with %q", got)
			}
		})
	}
}

// TestReset: an end that fails ends the session, whatever a service does.
func TestReset(t *testing.T) {
	asked := make(chan bool, 1)
	sc := open(t, scan(webtest.AdapterFunc(func(ctx context.Context, _ *adapt.Message) (*adapt.Result, error) {
		asked <- true
		<-ctx.Done()
		return nil, ctx.Err()
	}), nil))
	go webtest.Say(sc.Client, client(websocket.Text, "a"), nil)
	<-asked
	sc.Origin.Abort()
	if err := sc.End(); err == nil {
		t.Error("session ended in order")
	}
}

// FuzzFrames: whatever ends say, the session ends.
func FuzzFrames(f *testing.F) {
	up, _ := said(client)
	down, _ := said(origin)
	f.Add(up, down)
	f.Add(client(websocket.Text, "EICAR"), origin(websocket.Text, "EICAR"))
	f.Fuzz(func(t *testing.T, up, down []byte) {
		for _, a := range []adapt.Adapter{webtest.EICAR(), webtest.Shout(), webtest.Streaming()} {
			sc := webtest.Play(t, scan(a, func(c *adapt.Config) { c.Linger = time.Millisecond }), "")
			go func() { webtest.Say(sc.Client, append([]byte(handshake+version), up...), nil); sc.Client.CloseWrite() }()
			go io.Copy(io.Discard, sc.Client)
			webtest.Hear(t, sc.Origin, len(handshake+version))
			go io.Copy(io.Discard, sc.Origin)
			go func() { webtest.Say(sc.Origin, append([]byte(granted+"\r\n"), down...), nil); sc.Origin.CloseWrite() }()
			sc.End()
		}
	})
}
