package request

import "github.com/clearspan/clearspan/decrypt/proto/http1"

// maxOpen is how many requests may wait for their answers, so that answers are followed.
const maxOpen = 1024

// maxAnswerHead bounds a head of the origin, in octets.
const maxAnswerHead = 1 << 20

// answers follows what an origin of HTTP/1 says. What it cannot follow goes on all the same:
// then the session cannot end in order behind a refused request.
type answers struct {
	open    []kind // requests without a complete answer, the oldest first
	head    http1.Head
	begun   []byte // of a head that comes in pieces
	content http1.Content
	within  bool
	astray  bool   // they are not followed
	final   []byte // what the client gets last; nil: nothing
	buf     []byte
}

// kind is what matters of a method for its answer.
type kind uint8

const (
	plain kind = iota
	headRequest
	connectRequest
)

var methods = [...][]byte{plain: []byte("GET"), headRequest: []byte("HEAD"), connectRequest: []byte("CONNECT")}

// expect notes a request that goes on.
func (a *answers) expect(method string) {
	k := plain
	switch method {
	case "HEAD":
		k = headRequest
	case "CONNECT":
		k = connectRequest
	}
	if len(a.open) >= maxOpen {
		a.astray = true
		return
	}
	a.open = append(a.open, k)
}

// due reports whether what the client gets last is due.
func (a *answers) due() bool { return a.final != nil && (a.astray || len(a.open) == 0) }

// data follows p. It returns what goes on, and whether that is the last.
func (a *answers) data(i *Inspector, p []byte) (pass []byte, last bool) {
	at := 0
	for at < len(p) && !a.astray && i.protocol == http1Protocol && !a.due() {
		if a.within {
			at += a.pass(p[at:])
		} else {
			at += a.next(i, p[at:])
		}
	}
	switch {
	case a.final == nil:
		return p, false
	case a.astray: // where a message ends is not known
		return p, true
	case !a.due():
		return p, false
	case at == 0:
		return a.final, true
	}
	a.buf = append(append(a.buf[:0], p[:at]...), a.final...)
	return a.buf, true
}

// pass takes content.
func (a *answers) pass(p []byte) (at int) {
	for at < len(p) && !a.content.Done() {
		n, _, fault := a.content.Next(p[at:])
		if at += n; fault != http1.Sound {
			a.astray = true
			return at
		}
	}
	if a.content.Done() {
		a.within = false
		a.answered()
	}
	return at
}

// answered notes that the oldest request has its answer.
func (a *answers) answered() { a.open = a.open[:copy(a.open, a.open[1:])] }

// next takes the head that p begins with, as far as it came.
func (a *answers) next(i *Inspector, p []byte) (n int) {
	head := p
	if len(a.begun) > 0 {
		before := len(a.begun)
		a.begun = append(a.begun, p...)
		if n, _ = a.head.End(a.begun, http1.Loose); n > 0 {
			head, n = a.begun[:n], n-before
		}
	} else if n, _ = a.head.End(p, http1.Loose); n > 0 {
		head = p[:n]
	} else {
		a.begun = append(a.begun, p...)
	}
	if n <= 0 {
		a.astray = len(a.begun) > maxAnswerHead
		return len(p)
	}
	r, fault := http1.ParseResponse(head, http1.Loose, nil)
	a.begun = a.begun[:0]
	if cap(a.begun) > spare {
		a.begun = nil
	}
	switch {
	case fault != http1.Sound || len(a.open) == 0:
		a.astray = true
		return n
	case r.Code < 200 && r.Code != 101:
		return n // another one follows
	}
	method := methods[a.open[0]]
	if r.Switches(method) {
		i.switched(r.Fields, p[n:])
		return n
	}
	if a.open[0] == connectRequest {
		i.requests.waits = false
		i.resume = len(i.requests.held) > 0
	}
	if f := r.ContentFor(method); f.Extent != http1.NoContent {
		a.content, a.within = http1.NewContent(f, http1.Loose, true), true
		return n
	}
	a.answered()
	return n
}
