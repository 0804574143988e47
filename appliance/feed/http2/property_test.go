package http2

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/clearspan/clearspan/mirror"
	"github.com/clearspan/clearspan/mirror/mirrortest"
)

// tap keeps what goes over connections between a real client and a real server
// of net/http, HTTP/2 in the clear, in its order.
type tap struct {
	mu    sync.Mutex
	steps []step
}

// tapped is one end of a connection.
type tapped struct {
	net.Conn
	tap *tap
	dir mirror.Direction // of what this end says
}

// Write keeps p before it is sent, so that cause precedes effect.
func (c tapped) Write(p []byte) (int, error) {
	c.tap.mu.Lock()
	c.tap.steps = append(c.tap.steps, step{dir: c.dir, octets: bytes.Clone(p)})
	c.tap.mu.Unlock()
	return c.Conn.Write(p)
}

// listener taps the server's ends.
type listener struct {
	net.Listener
	tap *tap
}

func (l listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	return tapped{c, l.tap, down}, err
}

const exchanges = 21

// contentOf is what exchange i carries: of any length, and nothing for some.
func contentOf(i int) []byte {
	p := make([]byte, []int{0, 1, 100, 5000, 16384, 16385, 30_000}[i%7]+i)
	rand.NewChaCha8([32]byte{byte(i)}).Read(p)
	if i%7 == 0 {
		return nil
	}
	return p
}

// converse has client and server exchange contents in parallel, and returns what
// went over the wire.
func converse(t *testing.T) []step {
	t.Helper()
	taken := &tap{}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	server := &http.Server{
		Protocols: protocols,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			var i int
			fmt.Sscanf(r.URL.Path, "/%d", &i)
			got, err := io.ReadAll(r.Body)
			if err != nil || i%2 == 1 && !bytes.Equal(got, contentOf(i)) {
				t.Errorf("request %d: %d octets, %v", i, len(got), err)
			}
			if i%3 == 0 {
				w.Header().Set("Trailer", "Checksum")
			} else if i%3 == 1 {
				w.Header().Set("Content-Length", fmt.Sprint(len(contentOf(i))))
			}
			for p := contentOf(i); len(p) > 0; {
				n := min(len(p), 5000)
				w.Write(p[:n])
				p = p[n:]
				if i%4 == 0 {
					w.(http.Flusher).Flush()
				}
			}
			if i%3 == 0 {
				w.Header().Set("Checksum", fmt.Sprint("sum", i))
			}
		}),
	}
	var serving sync.WaitGroup
	serving.Go(func() { server.Serve(listener{l, taken}) })
	transport := &http.Transport{
		Protocols: protocols, DisableCompression: true, MaxConnsPerHost: 1,
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			c, err := new(net.Dialer).DialContext(ctx, network, l.Addr().String())
			return tapped{c, taken, up}, err
		},
	}
	var wg sync.WaitGroup
	for i := range exchanges {
		wg.Go(func() {
			var body io.Reader
			method := http.MethodGet
			if i%2 == 1 {
				method, body = http.MethodPost, bytes.NewReader(contentOf(i))
				if i%5 == 0 {
					body = io.MultiReader(body) // of unknown length
				}
			}
			r, _ := http.NewRequest(method, fmt.Sprintf("http://a.test/%d", i), body)
			r.Header.Set("Cookie", fmt.Sprintf("a=%d; b=%s", i, strings.Repeat("x", i*50)))
			answer, err := transport.RoundTrip(r)
			if err != nil {
				t.Error(err)
				return
			}
			got, err := io.ReadAll(answer.Body)
			if err != nil || !bytes.Equal(got, contentOf(i)) {
				t.Errorf("answer %d: %d octets, %v", i, len(got), err)
			}
		})
	}
	wg.Wait()
	transport.CloseIdleConnections()
	server.Close()
	serving.Wait()
	taken.mu.Lock()
	defer taken.mu.Unlock()
	return taken.steps
}

// TestRealSession renders a session of real ends, cut anywhere, and has net/http
// read the conversations: each request and answer is there with its content.
func TestRealSession(t *testing.T) {
	steps := converse(t)
	if t.Failed() {
		return
	}
	fewer(t)
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.SampledFrom([]int{30, 200, 1500, 9000, 70_000}).Draw(t, "size")
		source := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		recorder := &mirrortest.Recorder{}
		if size == 30 {
			recorder.SetMTU(9000)
		}
		r := play(steps, recorder, Options{}, func(n int) int { return 1 + source.IntN(min(n, size)) })
		if err := r.judge(false); err != nil {
			t.Fatal(err)
		}
		if err := r.exchanges(); err != nil {
			t.Fatal(err)
		}
	})
}

// fewer has rapid make a tenth of its checks where the race detector makes each
// take ten times as long. It lasts for the test.
func fewer(t *testing.T) {
	const name = "rapid.checks"
	if before := flag.Lookup(name).Value.String(); raceEnabled && before == "100" {
		flag.Set(name, "10")
		t.Cleanup(func() { flag.Set(name, before) })
	}
}

// exchanges reads all conversations of what converse sent.
func (r *result) exchanges() error {
	if len(r.conversations) != exchanges || r.report.RawReason != "" || len(r.account.Lost) > 0 {
		return fmt.Errorf("%d conversations, report %+v, lost %v", len(r.conversations), r.report, r.account.Lost)
	}
	seen := map[int]bool{}
	var replaced uint64 // lengths beside announced trailers
	for _, c := range r.conversations {
		var i int
		request, err := readRequest(c.Streams[0])
		if err != nil {
			return err
		}
		fmt.Sscanf(request.path, "/%d", &i)
		seen[i] = true
		if want := fmt.Sprintf("a=%d; b=%s", i, strings.Repeat("x", i*50)); request.header.Get("Cookie") != want || request.host != "a.test" {
			return fmt.Errorf("request %d: %v", i, request.header)
		}
		if i%2 == 1 && !bytes.Equal(request.content, contentOf(i)) {
			return fmt.Errorf("request %d: %d octets differ", i, len(request.content))
		}
		answer, err := readAnswer(c.Streams[1])
		if err != nil {
			return fmt.Errorf("answer %d: %w", i, err)
		}
		if !bytes.Equal(answer.content, contentOf(i)) {
			return fmt.Errorf("answer %d: %d octets differ", i, len(answer.content))
		}
		if answer.header.Get("X-Http2-Content-Length") != "" {
			replaced++
		}
		if i%3 == 0 && len(answer.content) > 0 && answer.trailer.Get("Checksum") != fmt.Sprint("sum", i) {
			return fmt.Errorf("answer %d: trailers %v", i, answer.trailer)
		}
	}
	if len(seen) != exchanges || r.report.Replaced != replaced {
		return fmt.Errorf("%d different exchanges, %d replaced, want %d", len(seen), r.report.Replaced, replaced)
	}
	return nil
}

// TestAnyLossIsAccounted has a sink that fails at any time and for any reason.
func TestAnyLossIsAccounted(t *testing.T) {
	steps := converse(t)
	reasons := []error{mirror.ErrFull, mirror.ErrNoLink, mirror.ErrStorage, mirror.ErrNoReader}
	rapid.Check(t, func(t *rapid.T) {
		source := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		recorder := &mirrortest.Recorder{}
		failing := false
		recorder.Fail = func(frames []mirror.Frame) (int, error) {
			if source.IntN(20) == 0 {
				failing = !failing
			}
			if !failing {
				return len(frames), nil
			}
			return source.IntN(len(frames)), reasons[source.IntN(len(reasons))]
		}
		r := play(steps, recorder, Options{}, func(n int) int {
			if source.IntN(100) == 0 {
				recorder.SetIdle(source.IntN(2) == 0)
			}
			return 1 + source.IntN(min(n, 5000))
		})
		if err := r.judge(true); err != nil {
			t.Fatal(err)
		}
		if r.report.RawReason != "" || len(r.account.Lost) == 0 {
			t.Fatalf("report %+v, lost %v", r.report, r.account.Lost)
		}
	})
}
