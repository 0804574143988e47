package icap

import (
	"fmt"
	"io"
	"runtime/debug"
	"sync"
	"time"
)

// maxChunk is how many octets of a body go in one write, at most.
const maxChunk = 64 << 10

type chunkBuffer [chunkBefore + maxChunk + chunkAfter + len(lastChunk)]byte

var chunkBuffers = sync.Pool{New: func() any { return new(chunkBuffer) }}

// withPreview reads the preview from src and appends it to a request's head.
func withPreview(head []byte, src *source, size int) ([]byte, error) {
	p := make([]byte, chunkBefore+size+chunkAfter)
	n := 0
	for n < size && !src.ended() {
		k, err := src.Read(p[chunkBefore+n : chunkBefore+size])
		n += k
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
	}
	if n > 0 {
		head = append(head, frameChunk(p, n)...)
	}
	if src.ended() {
		return append(head, ieof...), nil
	}
	return append(head, lastChunk...), nil
}

// send starts the sender.
func (x *exchange) send() {
	x.done = make(chan struct{})
	x.w.send(fetching)
	go func() {
		defer close(x.done)
		defer x.w.send(sent)
		defer func() {
			if v := recover(); v != nil { // of whom the body comes from; no other goroutine could
				x.bodyErr = fmt.Errorf("panic: %v\n%s", v, debug.Stack())
				x.c.Close()
			}
		}()
		x.sendBody()
	}()
}

// sendBody sends the rest of the body. It ends early when nobody needs it.
func (x *exchange) sendBody() {
	buf := chunkBuffers.Get().(*chunkBuffer)
	defer chunkBuffers.Put(buf)
	most := x.s.cfg.MaxBody
	for !x.halt.Load() {
		if x.settled.Load() {
			x.src.release()
		} else if most > 0 && x.src.got > most {
			x.tooLarge = true
			x.c.Close()
			return
		}
		x.w.send(fetching)
		if !x.awaitBody() {
			return
		}
		n, err := x.src.Read(buf[chunkBefore : chunkBefore+maxChunk])
		if err != nil && err != io.EOF {
			x.bodyErr = err
			x.c.Close()
			return
		}
		if x.halt.Load() {
			return
		}
		var out []byte
		if n > 0 {
			out = frameChunk(buf[:], n)
		}
		if err == io.EOF || x.src.ended() {
			out = append(out, lastChunk...)
			x.last.Store(true)
		}
		x.w.send(writing)
		if _, err := x.c.Write(out); err != nil {
			return // there may be an answer nevertheless
		}
		if x.last.Load() {
			x.complete = true
			return
		}
	}
}

// awaitBody waits until reading the body gives octets. It returns false if nobody needs
// them: the exchange has ended, or the message passes the server by. Only a body of
// unknown length may pause, until the server has decided.
func (x *exchange) awaitBody() bool {
	src := x.src
	if src.length >= 0 || src.pos < len(src.kept) || src.err != nil || x.settled.Load() {
		return true
	}
	var late <-chan time.Time
	if x.s.cfg.PassPaused && src.keep {
		t := time.NewTimer(lull)
		defer t.Stop()
		late = t.C
	}
	select {
	case <-src.depart(maxChunk).done:
		return true
	case <-x.ends:
		return false
	case <-late:
	}
	if !x.verdict.CompareAndSwap(undecided, passed) {
		return true
	}
	x.c.Close()
	return false
}
