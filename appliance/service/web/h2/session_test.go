package h2_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/clearspan/clearspan/appliance/service/web/adapt"
	"github.com/clearspan/clearspan/appliance/service/web/webtest"
	"github.com/clearspan/clearspan/hack/tempo"
)

// TestStreamsTogether has 64 exchanges at a time on one connection.
func TestStreamsTogether(t *testing.T) {
	for name, cfg := range webtest.Everywhere() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := webtest.Between(t, cfg, webtest.Echo)
			var wg sync.WaitGroup
			for i := range 64 {
				wg.Go(func() {
					r, octets := rand.New(rand.NewPCG(uint64(i), 1)), rand.NewChaCha8([32]byte{byte(i)})
					for range 3 {
						body := make([]byte, r.IntN(1+80_000*r.IntN(2)*r.IntN(2)*r.IntN(2)+20_000))
						octets.Read(body)
						if r.IntN(5) == 0 {
							body = nil
						}
						path := fmt.Sprintf("/%d", i)
						url := "http://origin.test" + path
						if r.IntN(2) == 0 {
							url += "?length"
						}
						var content io.Reader = bytes.NewReader(body)
						if r.IntN(2) == 0 {
							content = io.MultiReader(content) // no length
						}
						resp, err := c.Post(url, "application/octet-stream", content)
						if err != nil {
							t.Error(err)
							return
						}
						got, err := io.ReadAll(resp.Body)
						resp.Body.Close()
						if err != nil || !bytes.Equal(got, body) || resp.Header.Get("X-Path") != path {
							t.Errorf("%s: %d octets of %d, %v", path, len(got), len(body), err)
							return
						}
						if sum := fmt.Sprintf("%x", sha256.Sum256(body)); resp.Trailer.Get("X-Sum") != sum {
							t.Errorf("%s: trailers %v", path, resp.Trailer)
						}
					}
				})
			}
			wg.Wait()
		})
	}
}

// TestBothWays has an exchange in which each end waits for the other, as gRPC
// does.
func TestBothWays(t *testing.T) {
	cfgs := webtest.Everywhere()
	delete(cfgs, "preview") // these wait for octets that only the answer brings
	delete(cfgs, "whole")
	delete(cfgs, "three")
	delete(cfgs, "requests")
	delete(cfgs, "responses")
	delete(cfgs, "fail open")
	stalls := adapt.Config{Stall: 100 * time.Millisecond, Services: []adapt.Service{{Name: "av", Adapter: webtest.Preview(1 << 20), Requests: true, Responses: true, FailOpen: true}}}
	cfgs["stalled"] = stalls
	for name, cfg := range cfgs {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := webtest.Between(t, cfg, func(w http.ResponseWriter, r *http.Request) {
				rc := http.NewResponseController(w)
				rc.Flush()
				p := make([]byte, 5)
				for range 20 {
					if _, err := io.ReadFull(r.Body, p); err != nil {
						return
					}
					w.Write(bytes.ToUpper(p))
					rc.Flush()
				}
				w.Header().Set(http.TrailerPrefix+"Grpc-Status", "0")
			})
			pr, pw := io.Pipe()
			defer pw.Close()
			go pw.Write([]byte("hello"))
			req, _ := http.NewRequest("POST", "http://origin.test/", pr)
			req.Header.Set("Content-Type", "application/grpc")
			resp, err := c.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			for i := range 20 {
				p := make([]byte, 5)
				if _, err := io.ReadFull(resp.Body, p); err != nil || string(p) != "HELLO" {
					t.Fatalf("round %d: %q, %v", i, p, err)
				}
				if i < 19 {
					pw.Write([]byte("hello"))
				}
			}
			pw.Close()
			if rest, err := io.ReadAll(resp.Body); len(rest) > 0 || err != nil {
				t.Errorf("end: %q, %v", rest, err)
			}
			if resp.Trailer.Get("Grpc-Status") != "0" {
				t.Errorf("trailers %v", resp.Trailer)
			}
		})
	}
}

// TestFramesVerdicts has services that change and answer messages.
func TestFramesVerdicts(t *testing.T) {
	big := strings.Repeat("EICAR", 200_000)
	for _, tt := range []struct {
		name, send, origin string // the origin's answer, "" echoes
		cfg                adapt.Config
		status             int
		want               string
		calls              int32
	}{
		{"upload blocked", "xEICARx", "", webtest.One(webtest.EICAR()), 403, "blocked", 0},
		{"large upload blocked", big, "", webtest.One(webtest.EICAR()), 403, "blocked", 0},
		{"download blocked", "x", big, webtest.One(webtest.EICAR()), 403, "blocked", 1},
		{"rewritten", "abc", "", webtest.One(webtest.Shout()), 200, "ABC", 1},
		{"failed closed", "abc", "", webtest.One(webtest.Failing(2)), 503, adapt.WhyService, 0},
		{"upload unread", big, "", webtest.One(webtest.AdapterFunc(func(context.Context, *adapt.Message) (*adapt.Result, error) {
			return &adapt.Result{Outcome: adapt.Blocked, Header: []byte("HTTP/1.1 403 No\r\nConnection: close\r\n\r\n"), Body: io.NopCloser(strings.NewReader("no"))}, nil
		})), 403, "no", 0},
		{"response replaced early", "x", big, adapt.Config{Services: []adapt.Service{{Name: "av", Responses: true, Adapter: webtest.AdapterFunc(func(_ context.Context, m *adapt.Message) (*adapt.Result, error) {
			return &adapt.Result{Outcome: adapt.Modified, Header: []byte("HTTP/1.1 200 OK\r\nX: y\r\n\r\n"), Body: io.NopCloser(strings.NewReader("short"))}, nil
		})}}}, 200, "short", 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var calls atomic.Int32
			c := webtest.Between(t, tt.cfg, func(w http.ResponseWriter, r *http.Request) {
				calls.Add(1)
				if tt.origin == "" {
					io.Copy(w, r.Body)
				} else {
					io.WriteString(w, tt.origin)
				}
			})
			for range 3 { // the connection stays good
				resp, err := c.Post("http://origin.test/", "text/plain", strings.NewReader(tt.send))
				if err != nil {
					t.Fatal(err)
				}
				got, err := io.ReadAll(resp.Body)
				resp.Body.Close()
				if resp.StatusCode != tt.status || !strings.Contains(string(got), tt.want) || err != nil {
					t.Errorf("got %d %q, %v", resp.StatusCode, got, err)
				}
			}
			if calls.Load() != 3*tt.calls {
				t.Errorf("origin was asked %d times", calls.Load())
			}
		})
	}
}

// TestFramesReset has clients that give up, and services that fail late.
func TestFramesReset(t *testing.T) {
	for name, cfg := range webtest.Everywhere() {
		t.Run(name, func(t *testing.T) {
			gone := make(chan struct{}, 8)
			c := webtest.Between(t, cfg, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/ok" {
					io.WriteString(w, "ok")
					return
				}
				io.WriteString(w, strings.Repeat("x", 100_000))
				w.(http.Flusher).Flush()
				<-r.Context().Done()
				gone <- struct{}{}
			})
			for range 4 {
				ctx, cancel := context.WithCancel(context.Background())
				req, _ := http.NewRequestWithContext(ctx, "GET", "http://origin.test/", nil)
				time.AfterFunc(50*time.Millisecond, cancel)
				if resp, err := c.Do(req); err == nil {
					io.Copy(io.Discard, resp.Body)
					resp.Body.Close()
				}
				select {
				case <-gone:
				case <-time.After(10 * time.Second):
					t.Fatal("the origin did not learn of the reset")
				}
			}
			resp, err := c.Get("http://origin.test/ok")
			if err != nil {
				t.Fatal(err)
			}
			if got, _ := io.ReadAll(resp.Body); string(got) != "ok" {
				t.Errorf("got %q", got)
			}
			resp.Body.Close()
		})
	}
	t.Run("service fails late", func(t *testing.T) {
		c := webtest.Between(t, webtest.One(webtest.AdapterFunc(func(_ context.Context, m *adapt.Message) (*adapt.Result, error) {
			if m.Kind == adapt.Request {
				return &adapt.Result{}, nil
			}
			return &adapt.Result{Body: io.NopCloser(io.MultiReader(io.LimitReader(m.Body, 10), broken{}))}, nil
		})), func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, strings.Repeat("x", 1000)) })
		resp, err := c.Get("http://origin.test/")
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(resp.Body); err == nil || len(got) > 10 {
			t.Errorf("got %d octets, %v", len(got), err)
		}
		resp.Body.Close()
	})
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("virus found") }

// endless gives n octets.
type endless int64

func (e *endless) Read(p []byte) (int, error) {
	if *e <= 0 {
		return 0, io.EOF
	}
	n := min(int64(len(p)), int64(*e))
	*e -= endless(n)
	return int(n), nil
}

// TestMemory carries much both ways and keeps little.
func TestMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("carries 96 MiB")
	}
	first := new(http.Protocols)
	first.SetHTTP1(true)
	for name, by := range map[string]*http.Protocols{"HTTP/1.1": first, "HTTP/2": webtest.Unencrypted()} {
		t.Run(name, func(t *testing.T) { carryMuch(t, by) })
	}
}

func carryMuch(t *testing.T, by *http.Protocols) {
	size := int64(tempo.Of(48, 256)) << 20
	c := webtest.BetweenBy(t, by, webtest.One(webtest.Streaming()), func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		e := endless(size)
		io.Copy(w, &e)
	})
	var most atomic.Uint64
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(20 * time.Millisecond):
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				most.Store(max(most.Load(), m.HeapInuse))
			}
		}
	})
	up := endless(size)
	resp, err := c.Post("http://origin.test/", "text/plain", &up)
	if err != nil {
		t.Fatal(err)
	}
	n, err := io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
	close(stop)
	wg.Wait()
	if n != size || err != nil {
		t.Errorf("got %d octets, %v", n, err)
	}
	t.Logf("heap at most %d KiB", most.Load()>>10)
	if most.Load() > 32<<20 {
		t.Errorf("heap grew to %d MiB", most.Load()>>20)
	}
}
