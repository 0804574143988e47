package handshake

import (
	"bytes"
	"errors"
	"runtime"
	"sync"
	"testing"
	"time"
)

// TestHandshakePool: a panic is an error; what comes at once runs at once; no more than some
// wait for more work, and none for long.
func TestHandshakePool(t *testing.T) {
	c := NewPool()
	want := errors.New("fault")
	if err := c.Run(func() error { return want }); err != want {
		t.Errorf("got %v", err)
	}
	const many = 200 // more than may wait afterwards
	var all, begun sync.WaitGroup
	begun.Add(many)
	for range many {
		all.Go(func() {
			c.Run(func() error { // none ends before all have begun
				begun.Done()
				begun.Wait()
				return nil
			})
		})
	}
	all.Wait()
	time.Sleep(idleWorker / 4)
	if n, most := c.free.Load(), int32(4*runtime.GOMAXPROCS(0)); n > most {
		t.Errorf("%d goroutines wait for work, no more than %d may", n, most)
	}
	for deadline := time.Now().Add(10 * time.Second); c.free.Load() > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines still wait for work", c.free.Load())
		}
	}
}

// TestHandshakePoolGoesOn: a goroutine that waits, with the stack that it has, is used again.
func TestHandshakePoolGoesOn(t *testing.T) {
	c := NewPool()
	var last []byte
	again := 0
	for range 20 {
		for deadline := time.Now().Add(10 * time.Second); last != nil && c.free.Load() == 0 && time.Now().Before(deadline); {
			runtime.Gosched() // it does not wait yet
		}
		time.Sleep(time.Millisecond)
		c.Run(func() error {
			id, _, _ := bytes.Cut(bytes.TrimPrefix(current(), []byte("goroutine ")), []byte(" "))
			if bytes.Equal(id, last) {
				again++
			}
			last = id
			return nil
		})
	}
	if again < 10 { // a pause may be longer than one idleWorker
		t.Errorf("of 20 runs %d were by the goroutine of the one before", again)
	}
}

// current returns the stack of the calling goroutine, which begins with its number.
func current() []byte {
	b := make([]byte, 64)
	return b[:runtime.Stack(b, false)]
}
