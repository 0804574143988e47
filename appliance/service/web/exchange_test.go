package web

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// dialogue is one request and its answer.
type dialogue struct{ request, response string }

func chunks(r *rand.Rand, n int) string {
	var b strings.Builder
	for n > 0 {
		size := min(n, 1+r.IntN(700))
		ext := ""
		if r.IntN(4) == 0 {
			ext = ";name=\"val; ue\""
		}
		fmt.Fprintf(&b, "%0*X%s\r\n%s\r\n", 1+r.IntN(4), size, ext, strings.Repeat("x", size))
		n -= size
	}
	b.WriteString("000\r\n")
	if r.IntN(2) == 0 {
		b.WriteString("X-Trailer:  odd \r\nanother: one\r\n")
	}
	return b.String() + "\r\n"
}

// randomDialogues has every way to frame a message.
func randomDialogues(r *rand.Rand) (list []dialogue) {
	for i := range 2 + r.IntN(6) {
		n := r.IntN(5000)
		if r.IntN(6) == 0 {
			n = 90000
		}
		fixed := fmt.Sprintf("contENT-length:%d \r\n\r\n%s", n, strings.Repeat("y", n))
		var d dialogue
		switch r.IntN(5) {
		case 0:
			d.request = "GET /a?b=%20 HTTP/1.1\r\nhOsT: a\r\nX-Empty:\r\nX-Odd:\t v \t\r\n\r\n"
		case 1:
			d.request = "POST /" + fmt.Sprint(i) + " HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n" + chunks(r, n)
		case 2:
			d.request = "PUT http://a/ HTTP/1.1\r\nHost: a\r\n" + fixed
		case 3:
			d.request = "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"
		case 4:
			d.request = "PROPFIND / HTTP/1.0\r\n" + fixed
		}
		switch r.IntN(6) {
		case 0:
			d.response = "HTTP/1.1 200 \r\nTransfer-Encoding: chunked\r\n\r\n"
			if r.IntN(3) == 0 {
				d.response = "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + d.response
			}
			if !strings.HasPrefix(d.request, "HEAD") {
				d.response += chunks(r, n)
			}
		case 1:
			d.response = "HTTP/1.1 304\r\nContent-Length: 77\r\n\r\n"
		case 2:
			d.response = "HTTP/1.0 204 No  Content\r\n\r\n"
		default:
			d.response = "HTTP/1.1 200 OK\r\nSERVER: x\r\n" + fixed
			if strings.HasPrefix(d.request, "HEAD") {
				d.response = d.response[:strings.Index(d.response, "\r\n\r\n")+4]
			}
		}
		list = append(list, d)
	}
	return list
}

func TestOctetsAreIdentical(t *testing.T) {
	for name, cfg := range map[string]Config{
		"no service": {},
		"requests":   {Services: []Service{{Name: "av", Adapter: preview(100), Requests: true}}},
		"responses":  {Services: []Service{{Name: "av", Adapter: preview(100), Responses: true}}},
		"unread":     one(preview(0)),
		"preview":    one(preview(1024)),
		"glance":     one(glance(1024)),
		"two glance": {Services: []Service{both("a", glance(10)), both("b", glance(3000))}},
		"last reads": {Services: []Service{both("a", glance(10)), both("b", adapterFunc(streaming)), both("c", glance(0))}},
		"whole":      one(preview(1 << 30)),
		"streaming":  one(adapterFunc(streaming)),
		"bypassed":   {Services: []Service{{Name: "av", Adapter: preview(9), Requests: true, Responses: true, MaxBody: 1}}},
		"fail open":  {Replay: 1 << 20, Services: []Service{{Name: "av", Adapter: failing(1 << 30), Requests: true, Responses: true, FailOpen: true}}},
		"three":      {Services: []Service{both("a", preview(10)), both("b", adapterFunc(streaming)), both("c", preview(1<<30))}},
	} {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(30) {
				r := rand.New(rand.NewPCG(seed, 1))
				identical(t, cfg, randomDialogues(r), seed)
				if t.Failed() {
					t.Fatalf("seed %d", seed)
				}
			}
		})
	}
}

// identical plays dialogues, all requests pipelined, and compares both ends.
func identical(t *testing.T, cfg Config, list []dialogue, seed uint64) {
	t.Helper()
	sc := play(t, cfg, "")
	go func() {
		r := rand.New(rand.NewPCG(seed, 2))
		for _, d := range list {
			if say(sc.client, []byte(d.request), r) != nil {
				return
			}
		}
		sc.client.CloseWrite()
	}()
	go func() {
		r := rand.New(rand.NewPCG(seed, 3))
		for i, d := range list {
			p := make([]byte, len(d.request))
			n, err := io.ReadFull(sc.origin, p)
			if string(p) != d.request {
				t.Errorf("request %d of %d octets: %.200q\nwant %.200q (%d, %v)", i, len(p), p, d.request, n, err)
				sc.origin.Abort()
				return
			}
			if say(sc.origin, []byte(d.response), r) != nil {
				return
			}
		}
		if rest, err := io.ReadAll(sc.origin); len(rest) > 0 || err != nil {
			t.Errorf("origin: %q, %v", rest, err)
		}
		sc.origin.CloseWrite()
	}()
	for i, d := range list {
		p := make([]byte, len(d.response))
		n, err := io.ReadFull(sc.client, p)
		if string(p) != d.response {
			t.Errorf("response %d: %.200q\nwant %.200q (%d of %d, %v)", i, p[:n], d.response, n, len(p), err)
			sc.client.Abort()
			sc.end()
			return
		}
	}
	if rest, err := io.ReadAll(sc.client); len(rest) > 0 || err != nil {
		t.Errorf("client: %q, %v", rest, err)
	}
	if err := sc.end(); err != nil {
		t.Errorf("session ended: %v", err)
	}
}

// TestExchanges tells what both ends get for what both ends say. The origin says
// its part when it has read as much as is expected; what is behind a turn, when the
// rest of that has come after the first request.
func TestExchanges(t *testing.T) {
	const turn = "\x00turn\x00"
	const get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
	const blocked = "HTTP/1.1 403 Forbidden\r\nX-Service: test\r\nContent-Length: 7\r\n\r\nblocked"
	const post = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 7\r\n\r\n"
	const chunkedPost = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
	ok := "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
	page := func(status int, why string, last bool) string {
		h, b := page(status, why, last)
		return string(h) + string(b)
	}
	for _, tt := range []struct {
		name             string
		cfg              Config
		client, origin   string
		toOrigin, answer string
		reason           string
		words            string
	}{
		{"until close", one(preview(99)), get, "HTTP/1.1 200 OK\r\n\r\nall", get, "HTTP/1.1 200 OK\r\n\r\nall", "", "av:unmodified"},
		{"blocked upload", one(adapterFunc(eicar)), post + "xEICARx", "", "", blocked, "", "av:blocked"},
		{"blocked upload, then another", one(adapterFunc(eicar)), post + "xEICARx" + get, ok, get, blocked + ok, "", "av:blocked"},
		{"blocked download", one(adapterFunc(eicar)), get, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nEICAR", get, blocked, "", "av:blocked"},
		{"blocked chunked", one(adapterFunc(eicar)), get, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nEI\r\n3\r\nCAR\r\n0\r\n\r\n", get, blocked, "", "av:blocked"},
		{"blocked until close", one(adapterFunc(eicar)), get, "HTTP/1.0 200 OK\r\n\r\nEICAR", get, blocked, "", "av:blocked"},
		{"rewritten upload", one(adapterFunc(shout)), post + "abcdefg", "HTTP/1.1 204 x\r\n\r\n",
			"POST / HTTP/1.1\r\nHost: a\r\nX-Shout: yes\r\nTransfer-Encoding: chunked\r\n\r\n7\r\nABCDEFG\r\n0\r\n\r\n", "HTTP/1.1 204 x\r\n\r\n", "", "av:modified"},
		{"rewritten download", one(adapterFunc(shout)), get, ok, get,
			"HTTP/1.1 200 OK\r\nX-Shout: yes\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nOK\r\n0\r\n\r\n", "", "av:modified"},
		{"rewritten for HTTP/1.0", one(adapterFunc(shout)), "GET / HTTP/1.0\r\n\r\n", ok, "GET / HTTP/1.0\r\n\r\n",
			"HTTP/1.1 200 OK\r\nX-Shout: yes\r\n\r\nOK", "", "av:modified"},
		{"failed closed", one(failing(3)), post + "abcdefg", "", "", page(503, whyService, false), "", "av:failed-closed"},
		{"failed closed, response", Config{Services: []Service{{Name: "av", Adapter: failing(1), Responses: true}}}, get, ok, get, page(503, whyService, false), "", "av:failed-closed"},
		{"too long to be replayed", Config{Replay: 2, Services: []Service{{Name: "av", Adapter: failing(3), Requests: true, FailOpen: true}}},
			post + "abcdefg", "", "", page(503, whyService, false), "", "av:failed-closed"},
		{"first blocks", Config{Services: []Service{both("a", adapterFunc(eicar)), both("b", preview(1))}}, post + "xEICARx", "", "", blocked, "", "a:blocked"},
		{"second sees what the first made", Config{Services: []Service{{Name: "a", Adapter: adapterFunc(shout), Requests: true}, {Name: "b", Adapter: adapterFunc(eicar), Requests: true}}},
			post + "x.eicar", "", "", blocked, "", "a:modified b:blocked"},
		{"responses meet services in the opposite order", Config{Services: []Service{{Name: "a", Adapter: adapterFunc(eicar), Responses: true}, {Name: "b", Adapter: adapterFunc(shout), Responses: true}}},
			get, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\neicar", get, blocked, "", "a:blocked b:modified"},
		{"smuggled", one(preview(9)), "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "", "",
			page(400, whyRequest, true), "http-request-length-and-coding", ""},
		{"smuggled behind a good one", Config{}, get + "GET / HTTP/1.1\nHost: a\r\n\r\n", ok, get, ok + page(400, whyRequest, true), "http-request-bare-lf", ""},
		{"bad chunk, shown", one(preview(9)), chunkedPost + "2;\r\nab\r\n0x2\r\nab\r\n0\r\n\r\n", "", "", page(400, whyRequest, true), "http-request-bad-chunk", ""},
		{"bad chunk, relayed", Config{}, chunkedPost + "2\r\nab\r\n0x2\r\nab\r\n0\r\n\r\n", "", chunkedPost + "2\r\nab\r\n0",
			page(400, whyRequest, true), "http-request-bad-chunk", ""},
		{"bad response", one(preview(9)), get, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx", get, page(502, whyResponse, true), "http-response-duplicate-length", "av:unmodified"},
		{"folded response", Config{}, get, "HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\nx", get, page(502, whyResponse, true), "http-response-folded-line", ""},
		{"WebSocket", one(preview(9)), "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n\x81\x00", "HTTP/1.1 101 Switching Protocols\r\n\r\n\x82\x00",
			"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n\x81\x00", "HTTP/1.1 101 Switching Protocols\r\n\r\n\x82\x00", "", "av:unmodified"},
		{"WebSocket blocked", Config{Upgrade: Block}, "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n", "HTTP/1.1 101 Switching Protocols\r\n\r\n",
			"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n", page(502, whyUpgrade, true), "http-response-upgrade", ""},
		{"upgrade to HTTP/2", Config{}, "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\n\r\n", "HTTP/1.1 101 Switching Protocols\r\n\r\n",
			"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\n\r\n", page(502, whyUpgrade, true), "http-response-upgrade", ""},
		{"upgrade not granted", Config{}, "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\n\r\n" + get, ok + turn + ok,
			"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\n\r\n" + get, ok + ok, "", ""},
		{"upgrade answered twice", Config{}, "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\n\r\n", ok + ok,
			"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\n\r\n", ok + page(502, whyResponse, true), "http-response-unasked", ""},
		{"CONNECT inside", Config{}, "CONNECT b:1 HTTP/1.1\r\nHost: b:1\r\n\r\nraw\n", "HTTP/1.1 200 x\r\n\r\nwar\n",
			"CONNECT b:1 HTTP/1.1\r\nHost: b:1\r\n\r\nraw\n", "HTTP/1.1 200 x\r\n\r\nwar\n", "", ""},
		{"not HTTP", one(preview(9)), "SSH-2.0-x\r\n", "SSH-2.0-y\r\n", "SSH-2.0-x\r\n", "SSH-2.0-y\r\n", "", ""},
		{"not HTTP, binary", one(preview(9)), "\x10\x00\x00", "\x20", "\x10\x00\x00", "\x20", "", ""},
		{"not HTTP, blocked", Config{Foreign: Block}, "\x10\x00\x00", "", "", "", "http-request-not-http", ""},
		{"HTTP/2 behind HTTP/1.1", Config{}, get + preface, ok, get, ok + page(400, whyRequest, true), "http-request-upgrade", ""},
		{"empty line before a request", Config{}, "\r\n" + get, ok, get, ok, "", ""},
		{"request cut short", Config{}, post + "abc", "", post + "abc", "", "", ""},
		{"response cut short", Config{}, get, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok", get, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok", "", ""},
		{"nothing", Config{}, "", "", "", "", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(3) {
				tt.cfg.linger = 3 * time.Second
				sc := play(t, tt.cfg, "")
				pieces := rand.New(rand.NewPCG(seed, 7))
				go func() {
					say(sc.client, []byte(tt.client), pieces)
					if tt.reason == "" {
						sc.client.CloseWrite()
					}
				}()
				heard := make(chan string, 1)
				go func() {
					before := tt.toOrigin
					if i := strings.Index(before, "\r\n\r\n"); strings.Contains(tt.answer, "HTTP/1.1 101 ") || strings.HasPrefix(before, "CONNECT") {
						before = before[:i+4]
					}
					first, second, turns := strings.Cut(tt.origin, turn)
					if turns {
						before = before[:strings.Index(before, "\r\n\r\n")+4]
					}
					p := make([]byte, len(before))
					n, _ := io.ReadFull(sc.origin, p)
					say(sc.origin, []byte(first), nil)
					if turns {
						p = append(p, make([]byte, len(tt.toOrigin)-n)...)
						more, _ := io.ReadFull(sc.origin, p[n:])
						n += more
						say(sc.origin, []byte(second), nil)
					}
					if strings.HasSuffix(tt.name, "until close") || strings.Contains(tt.name, "cut") {
						sc.origin.CloseWrite()
					}
					rest, _ := io.ReadAll(sc.origin)
					sc.origin.CloseWrite()
					heard <- string(p[:n]) + string(rest)
				}()
				answer, _ := io.ReadAll(sc.client)
				sc.client.CloseWrite()
				if string(answer) != tt.answer {
					t.Errorf("client got %q\nwant %q", answer, tt.answer)
				}
				if got := reasonOf(sc.end()); got != tt.reason {
					t.Errorf("ended for %q, want %q", got, tt.reason)
				}
				if got := <-heard; got != tt.toOrigin {
					t.Errorf("origin got %q\nwant %q", got, tt.toOrigin)
				}
				var words []string
				for _, name := range []string{"a", "av", "b"} {
					if w := sc.s.Services()[name]; w != "" {
						words = append(words, name+":"+w)
					}
				}
				if got := strings.Join(words, " "); got != tt.words {
					t.Errorf("services %q, want %q", got, tt.words)
				}
			}
		})
	}
}

// TestContinue has a client that sends its body only when told to.
func TestContinue(t *testing.T) {
	const head = "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n"
	const goOn = "HTTP/1.1 100 Continue\r\n\r\n"
	const ok = "HTTP/1.1 204 x\r\n\r\n"
	for name, cfg := range map[string]Config{"relayed": {}, "shown": one(preview(99)), "unread": one(preview(0)), "glance": one(glance(99)), "streaming": one(adapterFunc(streaming))} {
		t.Run(name, func(t *testing.T) {
			sc := play(t, cfg, "")
			go func() {
				hear(t, sc.origin, len(head))
				sc.origin.Write([]byte(goOn))
				hear(t, sc.origin, 4)
				sc.origin.Write([]byte(ok))
			}()
			go sc.client.Write([]byte(head))
			if got := hear(t, sc.client, len(goOn)); got != goOn {
				t.Fatalf("client got %q", got)
			}
			sc.client.Write([]byte("body"))
			if got := hear(t, sc.client, len(ok)); got != ok {
				t.Fatalf("client got %q", got)
			}
		})
	}
	t.Run("blocked", func(t *testing.T) {
		sc := play(t, one(adapterFunc(func(context.Context, *Message) (*Result, error) {
			return &Result{Outcome: Blocked, Header: []byte("HTTP/1.1 403 No\r\n\r\n")}, nil
		})), "")
		go sc.client.Write([]byte(head))
		got, _ := io.ReadAll(sc.client)
		if want := "HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n"; string(got) != want {
			t.Errorf("client got %q, want %q and the end", got, want)
		}
	})
}

// TestOriginSpeaksFirst has sessions that are not HTTP, or pretend it.
func TestOriginSpeaksFirst(t *testing.T) {
	sc := play(t, one(preview(1)), "")
	go sc.origin.Write([]byte("220 mail\r\n"))
	hear(t, sc.client, 10)
	go sc.client.Write([]byte("EHLO a\r\n"))
	if got := hear(t, sc.origin, 8); got != "EHLO a\r\n" {
		t.Errorf("origin got %q", got)
	}

	sc = play(t, one(preview(1)), "")
	go sc.origin.Write([]byte("HTTP/1.1 200 OK\r\n"))
	hear(t, sc.client, 17)
	go sc.client.Write([]byte("GET / HTTP/1.1\r\nHost: a\r\n\r\n"))
	if got := reasonOf(sc.end()); got != "http-response-unasked" {
		t.Errorf("ended for %q", got)
	}
}

// TestStreams has a response arrive piece by piece while its origin goes on.
func TestStreams(t *testing.T) {
	for name, cfg := range map[string]Config{"relayed": {}, "unread": one(preview(0)), "glance": one(glance(0)), "streaming": one(adapterFunc(streaming))} {
		t.Run(name, func(t *testing.T) {
			sc := play(t, cfg, "")
			const get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
			go sc.client.Write([]byte(get))
			hear(t, sc.origin, len(get))
			for _, part := range []string{"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n", "data: 1\n\n", "data: 2\n\n"} {
				go sc.origin.Write([]byte(part))
				if got := hear(t, sc.client, len(part)); got != part {
					t.Fatalf("client got %q, want %q", got, part)
				}
			}
		})
	}
}

// TestBlockedLate has a service that gives up when half is delivered.
func TestBlockedLate(t *testing.T) {
	var seen observed
	cfg := one(adapterFunc(func(_ context.Context, m *Message) (*Result, error) {
		if m.Kind == Request {
			return &Result{}, nil
		}
		r, w := io.Pipe()
		go func() {
			io.CopyN(w, m.Body, 4)
			w.CloseWithError(fmt.Errorf("virus found"))
		}()
		return &Result{Body: r}, nil
	}))
	cfg.Observe = seen.observe
	sc := play(t, cfg, "")
	const get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
	go sc.client.Write([]byte(get))
	hear(t, sc.origin, len(get))
	go sc.origin.Write([]byte("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nabcdefgh"))
	if got, err := io.ReadAll(sc.client); err != errReset || !strings.HasSuffix(string(got), "abcd") {
		t.Errorf("client got %q, %v", got, err)
	}
	sc.end()
	if seen.words["av:failed-closed"] != 1 {
		t.Errorf("observed %v", seen.words)
	}
}

// TestClientLeaves has a client that resets while a service waits.
func TestClientLeaves(t *testing.T) {
	entered := make(chan struct{})
	sc := play(t, one(adapterFunc(func(ctx context.Context, m *Message) (*Result, error) {
		close(entered)
		_, err := io.ReadAll(m.Body)
		return nil, err
	})), "")
	go sc.client.Write([]byte("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc"))
	<-entered
	time.Sleep(10 * time.Millisecond)
	sc.client.Abort()
	if err := sc.end(); err == nil {
		t.Error("session ended in order")
	}
	if w := sc.s.Services()["av"]; w != "" {
		t.Errorf("the service was blamed: %s", w)
	}
}
