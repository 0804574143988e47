package icap

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// impatient makes a client that waits for a second.
func impatient(c *Config) { c.Timeout = time.Second }

func TestMisbehaviour(t *testing.T) {
	ok := "HTTP/1.1 200 OK\r\n\r\n"
	say := func(format string, args ...any) func(*received) {
		return func(r *received) {
			r.say(format, args...)
			r.close()
		}
	}
	for _, tt := range []struct {
		name string
		kind Reason
		do   func(*received)
	}{
		{"closes", Unavailable, func(r *received) { r.close() }},
		{"hangs", Timeout, func(r *received) { r.hang() }},
		{"trickles a header", Timeout, func(r *received) {
			for i := 0; i < 600; i++ {
				if _, err := r.c.Write([]byte("ICAP/1.0 200 OK\r\n" + strings.Repeat("X: y\r\n", 200))[i : i+1]); err != nil {
					break
				}
				time.Sleep(20 * time.Millisecond)
			}
			r.close()
		}},
		{"hangs in a header", Timeout, func(r *received) { r.say("ICAP/1.0 200 OK\r\nISTag: "); r.hang() }},
		{"hangs in a header block", Timeout, func(r *received) {
			r.say("ICAP/1.0 200 OK\r\nEncapsulated: res-hdr=0, res-body=500\r\n\r\nHTTP/1.1")
			r.hang()
		}},
		{"garbage", Protocol, say("\x16\x03\x01\x00\x00hello\r\n\r\n")},
		{"speaks HTTP", Protocol, say("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")},
		{"half a header", Protocol, say("ICAP/1.0 200 OK\r\nEncaps")},
		{"half a header block", Protocol, say("ICAP/1.0 200 OK\r\nEncapsulated: res-hdr=0, res-body=500\r\n\r\nHTTP/1.1")},
		{"endless header", Protocol, say("ICAP/1.0 200 OK\r\n%s\r\n", strings.Repeat("X: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n", 4000))},
		{"endless line", Protocol, say("ICAP/1.0 200 OK\r\nX: %s\r\n\r\n", strings.Repeat("y", 70<<10))},
		{"bare LF", Protocol, say("ICAP/1.0 204 OK\nISTag: x\n\n")},
		{"folded first line", Protocol, say("ICAP/1.0 204 OK\r\n b\r\nX: a\r\n\r\n")},
		{"folded line in a header block", Protocol, func(r *received) { r.answer(200, []byte("HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n"), "null-body", "") }},
		{"wrong ISTag", Protocol, say("ICAP/1.0 204 OK\r\nISTag: \"abc\r\n\r\n")},
		{"long ISTag", Protocol, say("ICAP/1.0 204 OK\r\nISTag: \"%s\"\r\n\r\n", strings.Repeat("x", 200))},
		{"no Encapsulated", Protocol, say("ICAP/1.0 200 OK\r\n\r\n%s", ok)},
		{"wrong offsets", Protocol, say("ICAP/1.0 200 OK\r\nEncapsulated: res-hdr=5, res-body=19\r\n\r\n%s", ok)},
		{"offset in the header block", Protocol, say("ICAP/1.0 200 OK\r\nEncapsulated: res-hdr=0, res-body=17\r\n\r\n%s5\r\nhello\r\n0\r\n\r\n", ok)},
		{"huge offset", Protocol, say("ICAP/1.0 200 OK\r\nEncapsulated: res-hdr=0, res-body=9999999999999999999\r\n\r\n%s", ok)},
		{"unknown part", Protocol, say("ICAP/1.0 200 OK\r\nEncapsulated: res-hdr=0, new-body=19\r\n\r\n%s", ok)},
		{"request for a response", Protocol, say("ICAP/1.0 200 OK\r\nEncapsulated: req-hdr=0, null-body=18\r\n\r\nGET / HTTP/1.1\r\n\r\n")},
		{"204 with a message", Protocol, say("ICAP/1.0 204 OK\r\nEncapsulated: res-hdr=0, null-body=19\r\n\r\n%s", ok)},
		{"two lengths", Protocol, func(r *received) {
			r.answer(200, []byte("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"), "null-body", "")
		}},
		{"interim response", Protocol, func(r *received) { r.answer(200, []byte("HTTP/1.1 100 Continue\r\n\r\n"), "null-body", "") }},
		{"two blocks in one", Protocol, func(r *received) {
			r.answer(200, []byte("HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"), "null-body", "")
		}},
		{"100 twice", Protocol, say("ICAP/1.0 100 Continue\r\n\r\nICAP/1.0 100 Continue\r\n\r\n")},
		{"overload", Overload, say("ICAP/1.0 503 Busy\r\n\r\n")},
		{"no such service", Unavailable, say("ICAP/1.0 404 None\r\n\r\n")},
		{"server error", Unavailable, say("ICAP/1.0 500 Oops\r\n\r\n")},
		{"bad request", Protocol, say("ICAP/1.0 400 Bad\r\n\r\n")},
		{"unknown status", Protocol, say("ICAP/1.0 299 What\r\n\r\n")},

		// In the body.
		{"early end", Protocol, func(r *received) { r.answer(200, r.resHdr, "res-body", ""); r.say("5\r\nhel"); r.close() }},
		{"end between chunks", Protocol, func(r *received) { r.answer(200, r.resHdr, "res-body", ""); r.say("5\r\nhello\r\n"); r.close() }},
		{"hangs in a body", Timeout, func(r *received) { r.answer(200, r.resHdr, "res-body", ""); r.say("5\r\nhel"); r.hang() }},
		{"bad chunk size", Protocol, func(r *received) { r.answer(200, r.resHdr, "res-body", ""); r.say("0x5\r\nhello\r\n"); r.close() }},
		{"huge chunk size", Protocol, func(r *received) {
			r.answer(200, r.resHdr, "res-body", "")
			r.say("ffffffffffffffff\r\nhello\r\n")
			r.close()
		}},
		{"bad chunk end", Protocol, func(r *received) { r.answer(200, r.resHdr, "res-body", ""); r.say("5\r\nhello!\r\n"); r.close() }},
		{"bad trailer", Protocol, func(r *received) { r.answer(200, r.resHdr, "res-body", ""); r.say("0\r\nno field\r\n\r\n"); r.close() }},
		{"original body without 206", Protocol, func(r *received) {
			r.answer(200, r.resHdr, "res-body", "")
			r.say("0; use-original-body=0\r\n\r\n")
		}},
		{"original body too far", Protocol, func(r *received) {
			r.answer(206, r.resHdr, "res-body", "")
			r.say("0; use-original-body=5001\r\n\r\n")
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := serve(t, usualOptions, tt.do)
			c := client(t, impatient, d)
			start := time.Now()
			body := octets(5000)
			_, _, err := adapt(t, c, download(body, true))
			e := wantKind(t, err, tt.kind)
			if took := time.Since(start); took > 20*time.Second {
				t.Errorf("took %v", took)
			}
			if e.Server == "" || !strings.HasPrefix(e.Reason(), "service-") {
				t.Errorf("%+v", e)
			}
			if strings.Contains(tt.name, "body") || strings.Contains(tt.name, "chunk") || strings.Contains(tt.name, "trailer") || tt.name == "early end" {
				return
			}
			if rest, err := io.ReadAll(e.Original); !e.Whole || err != nil || !bytes.Equal(rest, body) {
				t.Errorf("of the original %d octets are left, %v", len(rest), err)
			}
		})
	}
}

func TestBadOptions(t *testing.T) {
	for _, tt := range []struct {
		name, options string
		kind          Reason
	}{
		{"no methods", "ISTag: x\r\n", Protocol},
		{"other method", "Methods: REQMOD\r\n", Unavailable},
		{"bad preview", "Methods: RESPMOD\r\nPreview: -1\r\n", Protocol},
		{"bad connections", "Methods: RESPMOD\r\nMax-Connections: many\r\n", Protocol},
		{"bad lifetime", "Methods: RESPMOD\r\nOptions-TTL: 1s\r\n", Protocol},
		{"bad ISTag", "Methods: RESPMOD\r\nISTag: \"\r\n", Protocol},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := client(t, nil, serve(t, tt.options, echo))
			body := octets(100 << 10)
			_, _, err := adapt(t, c, download(body, false))
			e := wantKind(t, err, tt.kind)
			if rest, err := io.ReadAll(e.Original); err != nil || !bytes.Equal(rest, body) {
				t.Errorf("of the original %d octets are left, %v", len(rest), err)
			}
		})
	}
}

// With what was kept exceeded the original is lost, and said to be.
func TestOriginalLost(t *testing.T) {
	c := client(t, nil, serve(t, "Methods: RESPMOD\r\n", func(r *received) {
		io.CopyN(io.Discard, r.br, 100<<10)
		r.close()
	}))
	_, _, err := adapt(t, c, download(octets(1<<20), true))
	if e := wantKind(t, err, Unavailable); e.Whole || e.Original != nil {
		t.Errorf("%+v", e)
	}
}

// A server that is killed while a body streams ends that message only.
func TestKilled(t *testing.T) {
	reached := make(chan struct{})
	var once sync.Once
	d := serve(t, usualOptions, func(r *received) {
		r.continued = true
		r.say("ICAP/1.0 100 Continue\r\n\r\n")
		r.answer(200, r.resHdr, "res-body", "")
		io.CopyN(io.Discard, r.br, 200<<10)
		r.say("5\r\nhello\r\n")
		once.Do(func() { close(reached) })
		io.Copy(io.Discard, r.br)
		r.close()
	})
	spare := serve(t, usualOptions, echo)
	c := client(t, impatient, d)
	go func() {
		<-reached
		d.stop()
	}()
	_, body, err := adapt(t, c, download(octets(8<<20), false))
	wantKind(t, err, Protocol)
	if string(body) != "hello" {
		t.Errorf("body is %q", body)
	}
	// Nobody listens any more: it fails at once, and is left alone.
	for range 2 {
		_, _, err = adapt(t, c, download(octets(100), true))
		wantKind(t, err, Unavailable)
	}
	if s := c.Servers()[0]; s.Up || s.Busy != 0 {
		t.Errorf("%+v", s)
	}
	both := client(t, impatient, d, spare)
	for range 4 {
		want(t, both, download(octets(3000), false), Modified, octets(3000))
	}
}

func TestComesBack(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := ln.Addr().String()
	ln.Close()
	c := client(t, func(cfg *Config) { cfg.URLs = []string{"icap://" + address + "/double"} })
	_, _, err = adapt(t, c, download(octets(100), true))
	wantKind(t, err, Unavailable)
	if ln, err = net.Listen("tcp", address); err != nil {
		t.Fatal(err)
	}
	serveOn(t, ln, usualOptions, echo)
	for deadline := time.Now().Add(30 * time.Second); !c.Servers()[0].Up; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("server is not asked again")
		}
	}
	want(t, c, download(octets(100), true), Modified, octets(100))
}

func TestStale(t *testing.T) {
	n := 0
	d := serve(t, usualOptions, func(r *received) {
		n++
		if n == 2 { // after a request on a connection that it had kept
			r.close()
			return
		}
		echo(r)
	})
	c := client(t, nil, d)
	body := octets(2000)
	for range 3 {
		want(t, c, download(body, true), Modified, body)
	}
	if s := c.Servers()[0]; s.Failures != 0 {
		t.Errorf("%+v", s)
	}
	// Idle connections that the server has closed are not used.
	d.mu.Lock()
	for k := range d.conns {
		k.Close()
	}
	d.mu.Unlock()
	time.Sleep(50 * time.Millisecond)
	if res := want(t, c, download(body, true), Modified, body); res.Detail.Reused {
		t.Error("a closed connection was used")
	}
}

func TestMaxConnections(t *testing.T) {
	release := make(chan struct{})
	d := serve(t, usualOptions+"Max-Connections: 3\r\n", func(r *received) { <-release; echo(r) })
	c := client(t, func(cfg *Config) { cfg.Queue = 5 }, d)
	var wg sync.WaitGroup
	errs := make(chan error, 20)
	for range 20 {
		wg.Go(func() {
			res, err := c.Adapt(context.Background(), download(octets(100), true))
			if err == nil {
				_, err = io.Copy(io.Discard, res.Body)
				res.Body.Close()
			}
			errs <- err
		})
	}
	refused := 0
	for refused < 12 { // 3 are served, 5 wait
		wantKind(t, <-errs, Overload)
		refused++
	}
	for deadline := time.Now().Add(20 * time.Second); d.open.Load() < 3 && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	close(release)
	wg.Wait()
	close(errs)
	for err := range errs {
		if err != nil {
			t.Error(err)
		}
	}
	if m := d.most.Load(); m != 3 {
		t.Errorf("%d connections at a time, want 3", m)
	}
}

func TestWaitsForConnection(t *testing.T) {
	release := make(chan struct{})
	d := serve(t, usualOptions+"Max-Connections: 1\r\n", func(r *received) { <-release; echo(r) })
	c := client(t, func(cfg *Config) { cfg.Timeout = 2 * time.Second }, d)
	ctx, cancel := context.WithCancel(context.Background())
	first := make(chan error, 1)
	go func() {
		_, err := c.Adapt(ctx, download(octets(100), true))
		first <- err
	}()
	for d.served.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	short, stop := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer stop()
	if _, err := c.Adapt(short, download(octets(100), true)); err != context.DeadlineExceeded {
		t.Error(err)
	}
	cancel()
	if err := <-first; err != context.Canceled {
		t.Error(err)
	}
	close(release)
	want(t, c, download(octets(100), true), Modified, octets(100))
}

func TestOptionsAgain(t *testing.T) {
	tag := "double-1"
	d := serve(t, usualOptions, func(r *received) {
		r.say("ICAP/1.0 204 OK\r\nISTag: \"%s\"\r\n\r\n", tag)
	})
	c := client(t, nil, d)
	until := func(n int64) {
		t.Helper()
		for deadline := time.Now().Add(20 * time.Second); d.asked.Load() < n; time.Sleep(50 * time.Millisecond) {
			want(t, c, download(octets(100), true), Unmodified, octets(100))
			if time.Now().After(deadline) {
				t.Fatalf("OPTIONS were asked for %d times, want %d", d.asked.Load(), n)
			}
		}
	}
	quiet := func() {
		t.Helper()
		n := d.asked.Load()
		for end := time.Now().Add(minOptionsTTL + 200*time.Millisecond); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
			want(t, c, download(octets(100), true), Unmodified, octets(100))
		}
		if d.asked.Load() != n {
			t.Errorf("OPTIONS were asked for %d times, want %d", d.asked.Load(), n)
		}
	}
	until(1)
	quiet()
	tag = "double-2" // becomes known with the next answer
	now := strings.Replace(usualOptions, "double-1", tag, 1)
	d.options.Store(&now)
	until(2)
	quiet()
	tag = "double-3"
	short := strings.NewReplacer("double-1", tag, "3600", "0").Replace(usualOptions)
	d.options.Store(&short)
	until(5) // they expire
}

func TestBalance(t *testing.T) {
	var doubles []*double
	for range 3 {
		doubles = append(doubles, serve(t, usualOptions, echo))
	}
	c := client(t, nil, doubles...)
	for range 30 {
		want(t, c, download(octets(10), true), Modified, octets(10))
	}
	for i, d := range doubles {
		if n := d.served.Load(); n != 10 {
			t.Errorf("server %d got %d of 30 messages", i, n)
		}
	}
	// Who has a message in hand is not asked.
	held, err := c.Adapt(context.Background(), download(octets(1<<20), false))
	if err != nil {
		t.Fatal(err)
	}
	before := make([]int64, 3)
	for i, d := range doubles {
		before[i] = d.served.Load()
	}
	for range 10 {
		want(t, c, download(octets(10), true), Modified, octets(10))
	}
	still := 0
	for i, d := range doubles {
		if d.served.Load() == before[i] {
			still++
			if s := c.Servers()[i]; fmt.Sprint(s.Server) != d.ln.Addr().String() || s.Busy != 1 {
				t.Errorf("%+v", s)
			}
		}
	}
	if still != 1 {
		t.Errorf("%d servers were spared, want the busy one", still)
	}
	held.Body.Close()
}

func TestClosed(t *testing.T) {
	d := serve(t, usualOptions, echo)
	c := client(t, nil, d)
	want(t, c, download(octets(10), true), Modified, octets(10))
	c.Close()
	_, err := c.Adapt(context.Background(), download(octets(10), true))
	wantKind(t, err, Unavailable)
}
