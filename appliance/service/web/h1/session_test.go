package h1_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/clearspan/clearspan/appliance/service/web/adapt"
	"github.com/clearspan/clearspan/appliance/service/web/webtest"
	"github.com/clearspan/clearspan/decrypt/proto/http2"
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
	for name, cfg := range map[string]adapt.Config{
		"no service": {},
		"requests":   {Services: []adapt.Service{{Name: "av", Adapter: webtest.Preview(100), Requests: true}}},
		"responses":  {Services: []adapt.Service{{Name: "av", Adapter: webtest.Preview(100), Responses: true}}},
		"unread":     webtest.One(webtest.Preview(0)),
		"preview":    webtest.One(webtest.Preview(1024)),
		"glance":     webtest.One(webtest.Glance(1024)),
		"two glance": {Services: []adapt.Service{webtest.Both("a", webtest.Glance(10)), webtest.Both("b", webtest.Glance(3000))}},
		"last reads": {Services: []adapt.Service{webtest.Both("a", webtest.Glance(10)), webtest.Both("b", webtest.Streaming()), webtest.Both("c", webtest.Glance(0))}},
		"whole":      webtest.One(webtest.Preview(1 << 30)),
		"streaming":  webtest.One(webtest.Streaming()),
		"bypassed":   {Services: []adapt.Service{{Name: "av", Adapter: webtest.Preview(9), Requests: true, Responses: true, MaxBody: 1}}},
		"fail open":  {Replay: 1 << 20, Services: []adapt.Service{{Name: "av", Adapter: webtest.Failing(1 << 30), Requests: true, Responses: true, FailOpen: true}}},
		"three":      {Services: []adapt.Service{webtest.Both("a", webtest.Preview(10)), webtest.Both("b", webtest.Streaming()), webtest.Both("c", webtest.Preview(1<<30))}},
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
func identical(t *testing.T, cfg adapt.Config, list []dialogue, seed uint64) {
	t.Helper()
	sc := webtest.Play(t, cfg, "")
	go func() {
		r := rand.New(rand.NewPCG(seed, 2))
		for _, d := range list {
			if webtest.Say(sc.Client, []byte(d.request), r) != nil {
				return
			}
		}
		sc.Client.CloseWrite()
	}()
	go func() {
		r := rand.New(rand.NewPCG(seed, 3))
		for i, d := range list {
			p := make([]byte, len(d.request))
			n, err := io.ReadFull(sc.Origin, p)
			if string(p) != d.request {
				t.Errorf("request %d of %d octets: %.200q\nwant %.200q (%d, %v)", i, len(p), p, d.request, n, err)
				sc.Origin.Abort()
				return
			}
			if webtest.Say(sc.Origin, []byte(d.response), r) != nil {
				return
			}
		}
		if rest, err := io.ReadAll(sc.Origin); len(rest) > 0 || err != nil {
			t.Errorf("origin: %q, %v", rest, err)
		}
		sc.Origin.CloseWrite()
	}()
	for i, d := range list {
		p := make([]byte, len(d.response))
		n, err := io.ReadFull(sc.Client, p)
		if string(p) != d.response {
			t.Errorf("response %d: %.200q\nwant %.200q (%d of %d, %v)", i, p[:n], d.response, n, len(p), err)
			sc.Client.Abort()
			sc.End()
			return
		}
	}
	if rest, err := io.ReadAll(sc.Client); len(rest) > 0 || err != nil {
		t.Errorf("client: %q, %v", rest, err)
	}
	if err := sc.End(); err != nil {
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
	const rangeGet = "GET / HTTP/1.1\r\nRANGE: bytes=0-2\r\nHost: a\r\nIf-Range: x\r\n\r\n"
	ok := "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
	longHead := "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 90<<10) + "\r\nContent-Length: 2\r\n\r\nok"
	known, own := webtest.One(webtest.Preview(9)), webtest.One(webtest.Preview(9))
	known.Foreign = adapt.Known
	own.Foreign, own.Own = adapt.Known, []string{"smtp"}
	whole := func(s adapt.Service) adapt.Config { return adapt.Config{Services: []adapt.Service{s}, Whole: true} }
	page := func(status int, why string, last bool) string {
		h, b := adapt.Page(status, why, last)
		return string(h) + string(b)
	}
	for _, tt := range []struct {
		name             string
		cfg              adapt.Config
		client, origin   string
		toOrigin, answer string
		reason           string
		words            string
	}{
		{"until close", webtest.One(webtest.Preview(99)), get, "HTTP/1.1 200 OK\r\n\r\nall", get, "HTTP/1.1 200 OK\r\n\r\nall", "", "av:unmodified"},
		{"blocked upload", webtest.One(webtest.EICAR()), post + "xEICARx", "", "", blocked, "", "av:blocked"},
		{"blocked upload, then another", webtest.One(webtest.EICAR()), post + "xEICARx" + get, ok, get, blocked + ok, "", "av:blocked"},
		{"blocked download", webtest.One(webtest.EICAR()), get, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nEICAR", get, blocked, "", "av:blocked"},
		{"blocked chunked", webtest.One(webtest.EICAR()), get, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nEI\r\n3\r\nCAR\r\n0\r\n\r\n", get, blocked, "", "av:blocked"},
		{"blocked until close", webtest.One(webtest.EICAR()), get, "HTTP/1.0 200 OK\r\n\r\nEICAR", get, blocked, "", "av:blocked"},
		{"rewritten upload", webtest.One(webtest.Shout()), post + "abcdefg", "HTTP/1.1 204 x\r\n\r\n",
			"POST / HTTP/1.1\r\nHost: a\r\nX-Shout: yes\r\nTransfer-Encoding: chunked\r\n\r\n7\r\nABCDEFG\r\n0\r\n\r\n", "HTTP/1.1 204 x\r\n\r\n", "", "av:modified"},
		{"rewritten download", webtest.One(webtest.Shout()), get, ok, get,
			"HTTP/1.1 200 OK\r\nX-Shout: yes\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nOK\r\n0\r\n\r\n", "", "av:modified"},
		{"rewritten for HTTP/1.0", webtest.One(webtest.Shout()), "GET / HTTP/1.0\r\n\r\n", ok, "GET / HTTP/1.0\r\n\r\n",
			"HTTP/1.1 200 OK\r\nX-Shout: yes\r\n\r\nOK", "", "av:modified"},
		{"failed closed", webtest.One(webtest.Failing(3)), post + "abcdefg", "", "", page(503, adapt.WhyService, false), "", "av:failed-closed"},
		{"failed closed, response", adapt.Config{Services: []adapt.Service{{Name: "av", Adapter: webtest.Failing(1), Responses: true}}}, get, ok, get, page(503, adapt.WhyService, false), "", "av:failed-closed"},
		{"too long to be replayed", adapt.Config{Replay: 2, Services: []adapt.Service{{Name: "av", Adapter: webtest.Failing(3), Requests: true, FailOpen: true}}},
			post + "abcdefg", "", "", page(503, adapt.WhyService, false), "", "av:failed-closed"},
		{"first blocks", adapt.Config{Services: []adapt.Service{webtest.Both("a", webtest.EICAR()), webtest.Both("b", webtest.Preview(1))}}, post + "xEICARx", "", "", blocked, "", "a:blocked"},
		{"second sees what the first made", adapt.Config{Services: []adapt.Service{{Name: "a", Adapter: webtest.Shout(), Requests: true}, {Name: "b", Adapter: webtest.EICAR(), Requests: true}}},
			post + "x.eicar", "", "", blocked, "", "a:modified b:blocked"},
		{"responses meet services in the opposite order", adapt.Config{Services: []adapt.Service{{Name: "a", Adapter: webtest.EICAR(), Responses: true}, {Name: "b", Adapter: webtest.Shout(), Responses: true}}},
			get, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\neicar", get, blocked, "", "a:blocked b:modified"},
		{"smuggled", webtest.One(webtest.Preview(9)), "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "", "",
			page(400, adapt.WhyRequest, true), "http-request-length-and-coding", ""},
		{"smuggled behind a good one", adapt.Config{}, get + "GET / HTTP/1.1\nHost: a\r\n\r\n", ok, get, ok + page(400, adapt.WhyRequest, true), "http-request-bare-lf", ""},
		{"bad chunk, shown", webtest.One(webtest.Preview(9)), chunkedPost + "2;\r\nab\r\n0x2\r\nab\r\n0\r\n\r\n", "", "", page(400, adapt.WhyRequest, true), "http-request-bad-chunk", ""},
		{"bad chunk, relayed", adapt.Config{}, chunkedPost + "2\r\nab\r\n0x2\r\nab\r\n0\r\n\r\n", "", chunkedPost + "2\r\nab\r\n0",
			page(400, adapt.WhyRequest, true), "http-request-bad-chunk", ""},
		{"bad response", webtest.One(webtest.Preview(9)), get, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx", get, page(502, adapt.WhyResponse, true), "http-response-duplicate-length", "av:unmodified"},
		{"folded response", adapt.Config{}, get, "HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\nx", get, "HTTP/1.1 200 OK\r\nA: b c\r\n\r\nx", "", ""},
		{"odd response, relayed", adapt.Config{}, get + get, "HTTP/1.1 103 Early\nA : b\n\nHTTP/1.1 200 OK\nA : b\nContent-Length : 2\n\nok" + ok,
			get + get, "HTTP/1.1 103 Early\r\nA: b\r\n\r\nHTTP/1.1 200 OK\r\nA: b\r\nContent-Length: 2\r\n\r\nok" + ok, "", ""},
		{"odd response, shown", webtest.One(webtest.Preview(9)), get + get, "HTTP/1.1 200 OK\nTransfer-Encoding: identity\nContent-Length : 2\n\nok" + ok,
			get + get, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" + ok, "", "av:unmodified"},
		{"long response, relayed", adapt.Config{}, get + get, longHead + ok, get + get, longHead + ok, "", ""},
		{"long response, shown", webtest.One(webtest.Preview(9)), get + get, longHead + ok, get + get, longHead + ok, "", "av:unmodified"},
		{"too long response", adapt.Config{}, get, "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 400<<10), get, page(502, adapt.WhyResponse, true), "http-response-header-size", ""},
		{"response with CR alone", adapt.Config{}, get, "HTTP/1.1 200 OK\r\nA: b\rC: d\r\n\r\n", get, page(502, adapt.WhyResponse, true), "http-response-bare-cr", ""},
		{"WebSocket", webtest.One(webtest.Preview(9)), "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n\x81\x00", "HTTP/1.1 101 Switching Protocols\r\n\r\n\x82\x00",
			"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n\x81\x00", "HTTP/1.1 101 Switching Protocols\r\n\r\n\x82\x00", "", "av:bypassed"},
		{"WebSocket blocked", adapt.Config{Upgrade: adapt.Block}, "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n", "HTTP/1.1 101 Switching Protocols\r\n\r\n",
			"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n", page(502, adapt.WhyUpgrade, true), "http-response-upgrade", ""},
		{"upgrade to HTTP/2", adapt.Config{}, "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\n\r\n", "HTTP/1.1 101 Switching Protocols\r\n\r\n",
			"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\n\r\n", page(502, adapt.WhyUpgrade, true), "http-response-upgrade", ""},
		{"upgrade not granted", adapt.Config{}, "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\n\r\n" + get, ok + turn + ok,
			"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\n\r\n" + get, ok + ok, "", ""},
		{"upgrade answered twice", adapt.Config{}, "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\n\r\n", ok + ok,
			"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\n\r\n", ok + page(502, adapt.WhyResponse, true), "http-response-unasked", ""},
		{"CONNECT inside", adapt.Config{}, "CONNECT b:1 HTTP/1.1\r\nHost: b:1\r\n\r\nraw\n", "HTTP/1.1 200 x\r\n\r\nwar\n",
			"CONNECT b:1 HTTP/1.1\r\nHost: b:1\r\n\r\nraw\n", "HTTP/1.1 200 x\r\n\r\nwar\n", "", ""},
		{"not HTTP", webtest.One(webtest.Preview(9)), "SSH-2.0-x\r\n", "SSH-2.0-y\r\n", "SSH-2.0-x\r\n", "SSH-2.0-y\r\n", "", "av:bypassed"},
		{"not HTTP, binary", webtest.One(webtest.Preview(9)), "\x10\x00\x00", "\x20", "\x10\x00\x00", "\x20", "", "av:bypassed"},
		{"not HTTP, blocked", adapt.Config{Foreign: adapt.Block}, "\x10\x00\x00", "", "", "", "http-request-not-http", ""},
		{"not HTTP, known", known, "SSH-2.0-x\r\n", "SSH-2.0-y\r\n", "SSH-2.0-x\r\n", "SSH-2.0-y\r\n", "", "av:bypassed"},
		{"not HTTP, unknown", known, "HELLO there\r\n", "", "", "", "http-request-not-http", ""},
		{"not HTTP, TLS", known, "\x16\x03\x01\x00\x05", "", "", "", "http-request-not-http", ""},
		{"not HTTP, another part's", own, "EHLO a\r\n", "", "", "", "http-request-not-http", ""},
		{"ranges, shown", whole(webtest.Both("av", webtest.Preview(9))), rangeGet, ok, get, ok, "", "av:unmodified"},
		{"ranges, of responses", whole(adapt.Service{Name: "av", Adapter: webtest.Preview(9), Responses: true}), rangeGet + rangeGet, ok + ok, get + get, ok + ok, "", "av:unmodified"},
		{"ranges, nobody wants responses", whole(adapt.Service{Name: "av", Adapter: webtest.Preview(9), Requests: true}), rangeGet, ok, rangeGet, ok, "", "av:unmodified"},
		{"HTTP/2 behind HTTP/1.1", adapt.Config{}, get + http2.Preface, ok, get, ok + page(400, adapt.WhyRequest, true), "http-request-upgrade", ""},
		{"empty line before a request", adapt.Config{}, "\r\n" + get, ok, get, ok, "", ""},
		{"request cut short", adapt.Config{}, post + "abc", "", post + "abc", "", "", ""},
		{"response cut short", adapt.Config{}, get, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok", get, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok", "", ""},
		{"nothing", adapt.Config{}, "", "", "", "", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(3) {
				tt.cfg.Linger = 3 * time.Second
				sc := webtest.Play(t, tt.cfg, "")
				pieces := rand.New(rand.NewPCG(seed, 7))
				go func() {
					webtest.Say(sc.Client, []byte(tt.client), pieces)
					if tt.reason == "" {
						sc.Client.CloseWrite()
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
					n, _ := io.ReadFull(sc.Origin, p)
					webtest.Say(sc.Origin, []byte(first), nil)
					if turns {
						p = append(p, make([]byte, len(tt.toOrigin)-n)...)
						more, _ := io.ReadFull(sc.Origin, p[n:])
						n += more
						webtest.Say(sc.Origin, []byte(second), nil)
					}
					if strings.HasSuffix(tt.name, "until close") || strings.Contains(tt.name, "cut") {
						sc.Origin.CloseWrite()
					}
					rest, _ := io.ReadAll(sc.Origin)
					sc.Origin.CloseWrite()
					heard <- string(p[:n]) + string(rest)
				}()
				answer, _ := io.ReadAll(sc.Client)
				sc.Client.CloseWrite()
				if string(answer) != tt.answer {
					t.Errorf("client got %q\nwant %q", answer, tt.answer)
				}
				if got := webtest.ReasonOf(sc.End()); got != tt.reason {
					t.Errorf("ended for %q, want %q", got, tt.reason)
				}
				if got := <-heard; got != tt.toOrigin {
					t.Errorf("origin got %q\nwant %q", got, tt.toOrigin)
				}
				var words []string
				for _, name := range []string{"a", "av", "b"} {
					if w := sc.Account.Services()[name]; w != "" {
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
	for name, cfg := range map[string]adapt.Config{"relayed": {}, "shown": webtest.One(webtest.Preview(99)), "unread": webtest.One(webtest.Preview(0)), "glance": webtest.One(webtest.Glance(99)), "streaming": webtest.One(webtest.Streaming())} {
		t.Run(name, func(t *testing.T) {
			sc := webtest.Play(t, cfg, "")
			go func() {
				webtest.Hear(t, sc.Origin, len(head))
				sc.Origin.Write([]byte(goOn))
				webtest.Hear(t, sc.Origin, 4)
				sc.Origin.Write([]byte(ok))
			}()
			go sc.Client.Write([]byte(head))
			if got := webtest.Hear(t, sc.Client, len(goOn)); got != goOn {
				t.Fatalf("client got %q", got)
			}
			sc.Client.Write([]byte("body"))
			if got := webtest.Hear(t, sc.Client, len(ok)); got != ok {
				t.Fatalf("client got %q", got)
			}
		})
	}
	t.Run("blocked", func(t *testing.T) {
		sc := webtest.Play(t, webtest.One(webtest.AdapterFunc(func(context.Context, *adapt.Message) (*adapt.Result, error) {
			return &adapt.Result{Outcome: adapt.Blocked, Header: []byte("HTTP/1.1 403 No\r\n\r\n")}, nil
		})), "")
		go sc.Client.Write([]byte(head))
		got, _ := io.ReadAll(sc.Client)
		if want := "HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n"; string(got) != want {
			t.Errorf("client got %q, want %q and the end", got, want)
		}
	})
}

// TestOriginSpeaksFirst has sessions that are not HTTP, or pretend it.
func TestOriginSpeaksFirst(t *testing.T) {
	sc := webtest.Play(t, webtest.One(webtest.Preview(1)), "")
	go sc.Origin.Write([]byte("220 mail\r\n"))
	webtest.Hear(t, sc.Client, 10)
	go sc.Client.Write([]byte("EHLO a\r\n"))
	if got := webtest.Hear(t, sc.Origin, 8); got != "EHLO a\r\n" {
		t.Errorf("origin got %q", got)
	}

	sc = webtest.Play(t, webtest.One(webtest.Preview(1)), "")
	go sc.Origin.Write([]byte("HTTP/1.1 200 OK\r\n"))
	webtest.Hear(t, sc.Client, 17)
	go sc.Client.Write([]byte("GET / HTTP/1.1\r\nHost: a\r\n\r\n"))
	if got := webtest.ReasonOf(sc.End()); got != "http-response-unasked" {
		t.Errorf("ended for %q", got)
	}
}

// TestStreams has a response arrive piece by piece while its origin goes on.
func TestStreams(t *testing.T) {
	for name, cfg := range map[string]adapt.Config{"relayed": {}, "unread": webtest.One(webtest.Preview(0)), "glance": webtest.One(webtest.Glance(0)), "streaming": webtest.One(webtest.Streaming())} {
		t.Run(name, func(t *testing.T) {
			sc := webtest.Play(t, cfg, "")
			const get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
			go sc.Client.Write([]byte(get))
			webtest.Hear(t, sc.Origin, len(get))
			for _, part := range []string{"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n", "data: 1\n\n", "data: 2\n\n"} {
				go sc.Origin.Write([]byte(part))
				if got := webtest.Hear(t, sc.Client, len(part)); got != part {
					t.Fatalf("client got %q, want %q", got, part)
				}
			}
		})
	}
}

// TestBlockedLate has a service that gives up when half is delivered.
func TestBlockedLate(t *testing.T) {
	var seen webtest.Observed
	cfg := webtest.One(webtest.AdapterFunc(func(_ context.Context, m *adapt.Message) (*adapt.Result, error) {
		if m.Kind == adapt.Request {
			return &adapt.Result{}, nil
		}
		r, w := io.Pipe()
		go func() {
			io.CopyN(w, m.Body, 4)
			w.CloseWithError(fmt.Errorf("virus found"))
		}()
		return &adapt.Result{Body: r}, nil
	}))
	cfg.Observe = seen.Observe
	sc := webtest.Play(t, cfg, "")
	const get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
	go sc.Client.Write([]byte(get))
	webtest.Hear(t, sc.Origin, len(get))
	go sc.Origin.Write([]byte("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nabcdefgh"))
	if got, err := io.ReadAll(sc.Client); err != webtest.ErrReset || !strings.HasSuffix(string(got), "abcd") {
		t.Errorf("client got %q, %v", got, err)
	}
	sc.End()
	if n := seen.Count("av", adapt.WordFailedClosed); n != 1 {
		t.Errorf("observed %d failures", n)
	}
}

// TestClientLeaves has a client that resets while a service waits.
func TestClientLeaves(t *testing.T) {
	entered := make(chan struct{})
	sc := webtest.Play(t, webtest.One(webtest.AdapterFunc(func(ctx context.Context, m *adapt.Message) (*adapt.Result, error) {
		close(entered)
		_, err := io.ReadAll(m.Body)
		return nil, err
	})), "")
	go sc.Client.Write([]byte("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc"))
	<-entered
	time.Sleep(10 * time.Millisecond)
	sc.Client.Abort()
	if err := sc.End(); err == nil {
		t.Error("session ended in order")
	}
	if w := sc.Account.Services()["av"]; w != "" {
		t.Errorf("the service was blamed: %s", w)
	}
}
