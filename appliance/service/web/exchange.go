package web

import (
	"bytes"
	"context"
	"sync"
	"time"
)

// maxPipeline bounds the requests that wait for their answers.
const maxPipeline = 32

// exchange is a request on its way to be answered by the origin.
type exchange struct {
	request []byte // header block as sent, nil if no service wants responses
	minor   int
	head    bool // method HEAD
	connect bool // method CONNECT
	upgrade bool // asked for one
	http2   bool // to HTTP/2

	pushed    bool // onto the queue
	continued bool // the client was told to go on
	answered  bool // the final response has begun
}

// exchanges is an HTTP/1.1 session: one goroutine reads requests, one responses.
type exchanges struct {
	session
	cancel         context.CancelFunc
	client, origin input  // each for its goroutine
	toClient       output // whoever's turn it is
	toOrigin       output // requests

	mu      sync.Mutex
	cond    sync.Cond // queue, over, err
	mode    mode
	queue   []*exchange
	raw     bool      // an upgrade was granted
	over    bool      // no more responses come
	busy    bool      // a request is being read, or held by a service
	partial bool      // a response has begun and not ended
	cut     *exchange // its request will never be whole
	err     error
	timer   *time.Timer
	heard   bool          // the client has read it, or had its time; of the goroutine that reads the client
	told    chan struct{} // closed when a last page had its time; nil without one
	frames  *frames       // HTTP/2
}

// mode is what a session was found to carry.
type mode uint8

const (
	undecided mode = iota
	speaksHTTP1
	speaksHTTP2
	unread // not HTTP
)

// decide fixes the mode if it is undecided, and returns it.
func (x *exchanges) decide(m mode) mode {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.mode == undecided {
		x.mode = m
	}
	return x.mode
}

// push puts an exchange behind the others, when there is room.
func (x *exchanges) push(e *exchange) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	for len(x.queue) >= maxPipeline && x.err == nil && !x.over {
		x.cond.Wait()
	}
	x.queue = append(x.queue, e)
	e.pushed = true
	return x.err
}

// front returns the exchange that is to be answered next, nil if there is none.
func (x *exchanges) front() *exchange {
	x.mu.Lock()
	defer x.mu.Unlock()
	if len(x.queue) == 0 {
		return nil
	}
	return x.queue[0]
}

// pop drops the front: its answer is complete.
func (x *exchanges) pop(raw bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.queue = append(x.queue[:0], x.queue[1:]...)
	x.raw = x.raw || raw
	x.partial = false
	x.cond.Broadcast()
}

// quiet waits until every request is answered, and reports whether octets now
// pass unread.
func (x *exchanges) quiet() (raw bool, err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for len(x.queue) > 0 && x.err == nil && !x.over {
		x.cond.Wait()
	}
	return x.raw, x.err
}

// begin notes that the final answer to e begins. It returns the error of a
// session that has failed meanwhile, whose last words are said.
func (x *exchanges) begin(e *exchange) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.err == nil {
		e.answered, x.partial = true, true
	}
	return x.err
}

// settle waits until every request before one that is refused is answered.
func (x *exchanges) settle() {
	x.mu.Lock()
	defer x.mu.Unlock()
	for len(x.queue) > 0 && x.queue[0] != x.cut && x.err == nil && !x.over {
		x.cond.Wait()
	}
}

// taking notes whether a request is being taken.
func (x *exchanges) taking(busy bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.busy = busy
	x.cond.Broadcast()
}

// leave ends the client's side because no more responses come from the origin.
// A request that is still being taken may get one from a service.
func (x *exchanges) leave() error {
	x.mu.Lock()
	x.over = true
	x.cond.Broadcast()
	for x.busy && x.err == nil {
		x.cond.Wait()
	}
	err := x.err
	x.mu.Unlock()
	if err != nil {
		return nil
	}
	return x.toClient.closeWrite()
}

// finish notes that no more responses come.
func (x *exchanges) finish() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.over = true
	x.cond.Broadcast()
}

// goOn tells the client to send the body that it announced by Expect, unless
// that was done, or an answer stands instead. e may not be pushed yet.
func (x *exchanges) goOn(e *exchange) error {
	x.mu.Lock()
	defer x.mu.Unlock() // held while writing, so that no response comes between
	for x.err == nil && !x.over && len(x.queue) > 0 && (!e.pushed || x.queue[0] != e) {
		x.cond.Wait()
	}
	if x.err != nil || e.continued || e.answered {
		return x.err
	}
	e.continued = true
	_, err := x.toClient.Write([]byte("HTTP/1.1 100 Continue\r\n\r\n"))
	return err
}

// interim passes on an interim response, but for a 100 that we gave.
func (x *exchanges) interim(e *exchange, status int, raw []byte) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.err != nil {
		return x.err
	}
	if status == 100 {
		if e.continued {
			return nil
		}
		e.continued = true
	}
	_, err := x.toClient.Write(raw)
	return err
}

// fail ends the session for err, and tells whether it was the first reason. If
// nothing of a response is under way the client gets a page with status first;
// then it has a moment to read it.
func (x *exchanges) fail(err error, status int, why string) {
	x.mu.Lock()
	first := x.err == nil
	if first {
		x.err = err
	}
	tell := first && status != 0 && !x.partial && !x.raw && x.mode == speaksHTTP1
	if tell {
		x.told = make(chan struct{})
		x.timer = time.AfterFunc(x.cfg.linger, func() {
			x.abort()
			close(x.told)
		})
	}
	x.cond.Broadcast()
	x.mu.Unlock()
	if !first {
		return
	}
	x.cancel()
	if !tell {
		x.abort()
		return
	}
	head, body := page(status, why, true)
	x.toClient.Write(bytes.Join([][]byte{head, body}, nil))
	x.toClient.closeWrite()
}

// abort resets both ends.
func (x *exchanges) abort() {
	x.client.end.Abort()
	x.origin.end.Abort()
}

// failure returns why the session ended, nil if in order.
func (x *exchanges) failure() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.err
}
