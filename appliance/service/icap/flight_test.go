package icap

import (
	"bytes"
	"io"
	"testing"
	"time"
)

// pausing returns a message of unknown length, whose octets are written to w.
func pausing() (m *Message, w *io.PipeWriter) {
	r, w := io.Pipe()
	m = download(nil, false)
	m.Body = r
	return m, w
}

// TestPauseWithinPreview: a body that pauses before its preview is full goes to the
// server without a preview, piece by piece, and comes back so.
func TestPauseWithinPreview(t *testing.T) {
	previewed := make(chan bool, 1)
	c := client(t, nil, serve(t, usualOptions, func(r *received) {
		previewed <- r.header.Get("Preview") != ""
		echo(r)
	}))
	m, w := pausing()
	go w.Write(octets(10))
	res, err := c.Adapt(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	if <-previewed {
		t.Error("the server got a preview that is shorter than it asked for")
	}
	got := make([]byte, 10)
	for i := range 20 {
		start := time.Now()
		if _, err := io.ReadFull(res.Body, got); err != nil || !bytes.Equal(got, octets(10)) {
			t.Fatalf("piece %d: % x, %v", i, got, err)
		}
		t.Logf("piece %d came back after %v", i, time.Since(start).Round(time.Microsecond))
		go w.Write(octets(10))
	}
	io.ReadFull(res.Body, got)
	w.Close()
	if n, err := io.Copy(io.Discard, res.Body); n != 0 || err != nil {
		t.Errorf("%d octets too many, %v", n, err)
	}
	res.Body.Close()
}

// TestQuickBodyIsPreviewed: a body whose preview comes in pieces, but soon, is previewed.
// A machine that is busy may be late now and then.
func TestQuickBodyIsPreviewed(t *testing.T) {
	previews := make(chan int, 1)
	c := client(t, nil, serve(t, usualOptions, func(r *received) {
		previews <- len(r.preview)
		echo(r)
	}))
	for range 50 {
		m, w := pausing()
		go func() {
			for i := range 4 {
				w.Write(octets(2048)[512*i : 512*i+512])
			}
			w.Close()
		}()
		want(t, c, m, Modified, octets(2048))
		if n := <-previews; n == 1024 {
			return
		} else if n != 0 {
			t.Errorf("preview of %d octets", n)
		}
	}
	t.Error("no body was previewed")
}

// holding is a server that answers when a body has ended.
func holding(r *received) {
	var all bytes.Buffer
	if r.body(&all) != nil {
		r.close()
		return
	}
	block, _, body := r.own()
	r.answer(200, block, body, "")
	chunked{r.c}.Write(all.Bytes())
	r.say("0\r\n\r\n")
}

// TestPausedPasses: a body that pauses passes a server that holds it, whole and in
// order, while its sender waits.
func TestPausedPasses(t *testing.T) {
	for _, options := range []string{usualOptions, "Methods: RESPMOD\r\n"} {
		c := client(t, func(c *Config) { c.PassPaused = true }, serve(t, options, holding))
		m, w := pausing()
		go w.Write(octets(10))
		res, err := c.Adapt(t.Context(), m)
		if err != nil {
			t.Fatal(err)
		}
		if res.Outcome != Unmodified || res.Detail.Bypass != "paused" {
			t.Errorf("outcome %v, %+v", res.Outcome, res.Detail)
		}
		got := make([]byte, 10)
		for i := range 5 {
			if _, err := io.ReadFull(res.Body, got); err != nil || !bytes.Equal(got, octets(10)) {
				t.Fatalf("piece %d: % x, %v", i, got, err)
			}
			if i < 4 {
				go w.Write(octets(10))
			}
		}
		w.Close()
		if n, err := io.Copy(io.Discard, res.Body); n != 0 || err != nil {
			t.Errorf("%d octets too many, %v", n, err)
		}
		res.Body.Close()
		if s := c.Servers()[0]; s.Busy != 0 || s.Failures != 0 {
			t.Errorf("server is %+v", s)
		}
	}
}

// TestPausedWaits: without PassPaused, a server that holds a body decides about it.
func TestPausedWaits(t *testing.T) {
	c := client(t, nil, serve(t, usualOptions, holding))
	m, w := pausing()
	go func() {
		w.Write(octets(10))
		time.Sleep(10 * lull) // the pause that is tested
		w.Write(octets(10))
		w.Close()
	}()
	want(t, c, m, Modified, append(octets(10), octets(10)...))
}

// TestLongBodyWaits: what is no longer kept does not pass.
func TestLongBodyWaits(t *testing.T) {
	c := client(t, func(c *Config) { c.PassPaused, c.Replay = true, 1024 }, serve(t, usualOptions, holding))
	m, w := pausing()
	go func() {
		w.Write(octets(4096))
		time.Sleep(10 * lull)
		w.Write(octets(10))
		w.Close()
	}()
	want(t, c, m, Modified, append(octets(4096), octets(10)...))
}
