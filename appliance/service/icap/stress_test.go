package icap

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"sync"
	"testing"
	"time"
)

// Many messages at a time, of which servers break some and callers leave others:
// every one ends, with its own content or a failure, and every connection is
// accounted for.
func TestStress(t *testing.T) {
	var doubles []*double
	for i := range 2 {
		r := rand.New(rand.NewPCG(uint64(i), 7))
		var mu sync.Mutex
		n := func(n int) int { mu.Lock(); defer mu.Unlock(); return r.IntN(n) }
		doubles = append(doubles, serve(t, usualOptions+"Max-Connections: 6\r\n", func(r *received) {
			switch n(40) {
			case 0:
				r.close()
			case 1:
				r.say("ICAP/1.0 503 Busy\r\n\r\n")
				r.close()
			case 2:
				block, _, body := r.own()
				r.answer(200, block, body, "")
				r.say("5\r\nhel")
				r.close()
			case 3, 4, 5, 6, 7, 8, 9, 10:
				if r.body(io.Discard) != nil || r.continued && r.header.Get("Allow") != "204, 206" {
					r.close()
					return
				}
				r.say("ICAP/1.0 204 OK\r\n\r\n")
			default:
				echo(r)
			}
		}))
	}
	c := client(t, func(c *Config) { c.Timeout = 20 * time.Second }, doubles...)
	var wg sync.WaitGroup
	var mu sync.Mutex
	adapted := 0
	for i := range 24 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(i), 1))
			for range 40 {
				body := octets(r.IntN(100_000))
				m := download(body, r.IntN(2) == 0)
				if r.IntN(2) == 0 {
					m = upload(body, r.IntN(2) == 0)
				}
				ctx, cancel := context.WithCancel(t.Context())
				if r.IntN(10) == 0 {
					time.AfterFunc(time.Duration(r.IntN(3000))*time.Microsecond, cancel)
				}
				got, err := all(ctx, c, m, r.IntN(10) == 0)
				cancel()
				var e *Error
				switch {
				case err == nil && got != nil && !bytes.Equal(got, body):
					t.Errorf("%d octets came back of %d, or others", len(got), len(body))
				case err != nil && !errors.As(err, &e) && err != context.Canceled:
					t.Error(err)
				case err == nil:
					mu.Lock()
					adapted++
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	if t.Logf("%d of %d messages were adapted", adapted, 24*40); adapted < 400 {
		t.Error("most should have been")
	}
	for _, s := range c.servers {
		s.mu.Lock()
		if s.busy.Load() != 0 || s.open != len(s.idle) || len(s.queue) != 0 || s.open > 6 {
			t.Errorf("%s: busy with %d, %d connections, %d idle, %d wait", s.host, s.busy.Load(), s.open, len(s.idle), len(s.queue))
		}
		s.mu.Unlock()
	}
}

// all returns the whole adapted body; nil if the message was left in the middle.
func all(ctx context.Context, c *Client, m *Message, leave bool) ([]byte, error) {
	res, err := c.Adapt(ctx, m)
	if err != nil {
		return nil, err
	}
	if res.Body == nil {
		return nil, nil
	}
	defer res.Body.Close()
	if leave {
		_, err := io.CopyN(io.Discard, res.Body, 1000)
		if err == io.EOF {
			err = nil
		}
		return nil, err
	}
	got, err := io.ReadAll(res.Body)
	if got == nil && err == nil {
		got = []byte{}
	}
	return got, err
}
