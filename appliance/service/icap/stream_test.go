package icap

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/clearspan/clearspan/hack/lab"
)

// Octets come back while the body is still being sent.
func TestStreams(t *testing.T) {
	for _, options := range []string{usualOptions, "Methods: RESPMOD\r\n"} {
		c := client(t, nil, serve(t, options, echo))
		r, w := io.Pipe()
		m := download(nil, false)
		m.Body = r
		chunk := octets(4096)
		go w.Write(chunk)
		res, err := c.Adapt(t.Context(), m)
		if err != nil {
			t.Fatal(err)
		}
		got := make([]byte, len(chunk))
		for range 10 {
			if _, err := io.ReadFull(res.Body, got); err != nil {
				t.Fatal(err)
			}
			go w.Write(chunk)
		}
		if _, err := io.ReadFull(res.Body, got); err != nil {
			t.Fatal(err)
		}
		w.Close()
		if n, err := io.Copy(io.Discard, res.Body); n != 0 || err != nil {
			t.Errorf("%d octets too many, %v", n, err)
		}
		res.Body.Close()
		if c.Servers()[0].Busy != 0 {
			t.Error("the server is still busy")
		}
	}
}

// A slow body, and a slow reader of the answer, are no fault of the server.
func TestPatience(t *testing.T) {
	c := client(t, func(c *Config) { c.Timeout = 500 * time.Millisecond; c.Replay = 1 }, serve(t, usualOptions, echo))
	r, w := io.Pipe()
	m := download(nil, false)
	m.Body = r
	go func() {
		for range 3 {
			w.Write(octets(1500))
			time.Sleep(1200 * time.Millisecond)
		}
		w.Close()
	}()
	want(t, c, m, Modified, append(append(octets(1500), octets(1500)...), octets(1500)...))

	const size = 32 << 20 // more than the sockets hold
	res, err := c.Adapt(t.Context(), download(octets(size), true))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	time.Sleep(1500 * time.Millisecond)
	if n, err := io.Copy(io.Discard, res.Body); n != size || err != nil {
		t.Errorf("%d octets, %v", n, err)
	}
}

// Who takes nothing is at fault.
func TestServerTakesNothing(t *testing.T) {
	stop := make(chan struct{})
	d := serve(t, "Methods: RESPMOD\r\n", func(r *received) { <-stop; r.close() })
	c := client(t, impatient, d)
	_, _, err := adapt(t, c, download(octets(64<<20), false))
	wantKind(t, err, Timeout)
	close(stop)
}

func TestCancelled(t *testing.T) {
	d := serve(t, "Methods: RESPMOD\r\n", func(r *received) { r.hang() })
	c := client(t, nil, d)
	ctx, cancel := context.WithCancelCause(t.Context())
	time.AfterFunc(50*time.Millisecond, func() { cancel(errors.New("over")) })
	if _, err := c.Adapt(ctx, download(octets(100), true)); err != context.Canceled {
		t.Error(err)
	}
	// While the answer streams.
	c = client(t, nil, serve(t, usualOptions, func(r *received) {
		r.answer(200, r.resHdr, "res-body", "")
		r.say("5\r\nhello\r\n")
		r.hang()
	}))
	ctx2, cancel2 := context.WithCancel(t.Context())
	res, err := c.Adapt(ctx2, download(octets(5000), true))
	if err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(50*time.Millisecond, cancel2)
	if got, err := io.ReadAll(res.Body); string(got) != "hello" || err != context.Canceled {
		t.Errorf("%q, %v", got, err)
	}
	res.Body.Close()
}

// The answer may be over before the body is.
func TestEarlyAnswer(t *testing.T) {
	page := "HTTP/1.1 403 Forbidden\r\n\r\n"
	c := client(t, nil, serve(t, "Methods: REQMOD\r\n", func(r *received) {
		r.say("ICAP/1.0 200 OK\r\nEncapsulated: res-hdr=0, res-body=%d\r\n\r\n%s2\r\nno\r\n0\r\n\r\n", len(page), page)
		r.hang()
	}))
	r, w := io.Pipe()
	m := upload(nil, false)
	m.Body = r
	go w.Write(octets(1000))
	res, err := c.Adapt(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(res.Body); string(got) != "no" || err != nil || res.Outcome != Blocked {
		t.Errorf("%v, %q, %v", res.Outcome, got, err)
	}
	w.CloseWithError(io.ErrClosedPipe)
	res.Body.Close()
}

// zeros is an endless body.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

// Bodies never sit in memory: 64 at a time.
func TestMemory(t *testing.T) {
	size := int64(4 << 20)
	if testing.Short() {
		size = 1 << 20
	}
	measureMemory(t, client(t, nil, serve(t, usualOptions, echo)), 64, size)
}

// measureMemory has streams of size octets echoed at a time, and bounds what the
// heap grows by.
func measureMemory(t *testing.T, c *Client, streams int, size int64) {
	defer debug.SetGCPercent(debug.SetGCPercent(50)) // garbage is not what is measured
	stop, peak := make(chan struct{}), make(chan uint64)
	var before runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	go func() {
		var most uint64
		for {
			select {
			case <-stop:
				peak <- most
				return
			case <-time.After(20 * time.Millisecond):
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				most = max(most, m.HeapInuse)
			}
		}
	}()
	var wg sync.WaitGroup
	for range streams {
		wg.Go(func() {
			m := download(nil, false)
			m.Body = io.LimitReader(zeros{}, size)
			res, err := c.Adapt(t.Context(), m)
			if err != nil {
				t.Error(err)
				return
			}
			defer res.Body.Close()
			if n, err := io.Copy(io.Discard, res.Body); n != size || err != nil {
				t.Errorf("%d octets, %v", n, err)
			}
		})
	}
	wg.Wait()
	close(stop)
	grown := int64(<-peak) - int64(before.HeapInuse)
	t.Logf("%d streams of %d MiB: heap grew by %.1f MiB", streams, size>>20, float64(grown)/(1<<20))
	// The client's part is 64 KiB that are kept, 32 KiB of a chunk and 8 KiB to
	// read; the rest is the double, and garbage.
	if bound := int64(streams * 512 << 10); grown > bound {
		t.Errorf("heap grew by %d octets, want at most %d", grown, bound)
	}
}

func TestTLS(t *testing.T) {
	p, err := lab.NewPKI(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	k, err := p.Issue("127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	cert, err := tls.LoadX509KeyPair(k.CertFile, k.KeyFile)
	if err != nil {
		t.Fatal(err)
	}
	d := serveOn(t, secured(t, cert), usualOptions, echo)
	trusting := func(roots *x509.CertPool) func(*Config) {
		return func(c *Config) {
			c.URLs = []string{strings.Replace(d.url(), "icap:", "icaps:", 1)}
			c.TLS = &tls.Config{RootCAs: roots}
		}
	}
	roots := x509.NewCertPool()
	roots.AddCert(p.Root)
	c := client(t, trusting(roots))
	want(t, c, download(octets(200_000), false), Modified, octets(200_000))
	want(t, c, download(octets(100), false), Modified, octets(100))
	c = client(t, trusting(x509.NewCertPool()))
	_, _, err = adapt(t, c, download(octets(100), true))
	wantKind(t, err, Unavailable)
}

func TestURLs(t *testing.T) {
	for u, good := range map[string]bool{
		"icap://127.0.0.1/avscan": true, "icaps://av.example.test:11344/x?y=z": true, "ICAP://[2001:db8::1]:1344/a": true,
		"": false, "http://127.0.0.1/a": false, "icap://127.0.0.1": false, "icap:///a": false, "icap://a@b/c": false, "icap://a/b#c": false,
		"icap://a:0/b": false, "icap://a:70000/b": false, "icap://a/b\r\nX: y": false, "icap://a/b c": false, "127.0.0.1:1344/a": false,
	} {
		if err := CheckURL(u); (err == nil) != good {
			t.Errorf("%q: %v", u, err)
		}
	}
}
