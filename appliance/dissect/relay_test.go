package dissect_test

import (
	"crypto/sha256"
	"fmt"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/clearspan/clearspan/appliance/dissect"
	"github.com/clearspan/clearspan/decrypt/proto"
)

// relay is a TCP proxy that writes down what passes, before it passes.
type relay struct {
	net.Listener
	origin   string
	mu       sync.Mutex // guards sessions
	sessions [][]step
	open     sync.WaitGroup
}

func newRelay(t *testing.T, origin string) *relay {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{Listener: l, origin: origin}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			r.open.Go(func() { r.carry(c) })
		}
	}()
	t.Cleanup(func() { l.Close() })
	return r
}

// carry relays one session.
func (r *relay) carry(client net.Conn) {
	defer client.Close()
	origin, err := net.Dial("tcp", r.origin)
	if err != nil {
		return
	}
	defer origin.Close()
	for _, c := range []net.Conn{client, origin} {
		c.SetDeadline(time.Now().Add(time.Minute))
	}
	r.mu.Lock()
	n := len(r.sessions)
	r.sessions = append(r.sessions, nil)
	r.mu.Unlock()
	var both sync.WaitGroup
	both.Go(func() { r.pass(n, proto.ClientToOrigin, client, origin) })
	both.Go(func() { r.pass(n, proto.OriginToClient, origin, client) })
	both.Wait()
}

func (r *relay) pass(session int, dir proto.Direction, from, to net.Conn) {
	b := make([]byte, 16<<10)
	for {
		n, err := from.Read(b)
		r.mu.Lock()
		r.sessions[session] = append(r.sessions[session], step{dir: dir, text: string(b[:n]), end: err != nil})
		r.mu.Unlock()
		if _, err2 := to.Write(b[:n]); err != nil || err2 != nil {
			to.(*net.TCPConn).CloseWrite()
			return
		}
	}
}

// exchange is a request with its answer, as somebody saw it.
type exchange struct {
	Method, Path, Host string
	Sent               string // hash of the request's content
	Status             int
	Received           string // hash of the answer's content
}

// hash shortens content.
func hash(content []byte) string {
	sum := sha256.Sum256(content)
	return fmt.Sprintf("%d octets %x", len(content), sum[:8])
}

// exchanges collects what is complete of the exchanges of a session.
type exchanges struct{ list []exchange }

// seen is an exchange under way, with its contents.
type seen struct {
	exchange
	content  [2][]byte
	complete int
}

func (x *exchanges) Event(e dissect.Event) {
	switch e := e.(type) {
	case *dissect.Request:
		e.Tag = &seen{exchange: exchange{Method: string(e.Method), Path: string(e.Path), Host: string(e.Host.Name)}}
	case *dissect.Answer:
		e.Tag.(*seen).Status = e.Status
	case *dissect.End:
		s := e.Tag.(*seen)
		if e.How == dissect.Complete && e.Octets == uint64(len(s.content[e.Direction])) {
			s.complete++
		}
		if s.complete == 2 {
			s.Sent, s.Received = hash(s.content[0]), hash(s.content[1])
			x.list = append(x.list, s.exchange)
		}
	}
}

func (x *exchanges) Content(e *dissect.Exchange, dir proto.Direction, p []byte) {
	s := e.Tag.(*seen)
	s.content[dir] = append(s.content[dir], p...)
}

func (x *exchanges) Hole(*dissect.Exchange, proto.Direction, uint64) {}

// dissected ends the relay and returns the exchanges of its sessions, read in pieces of
// that size (0: as they came). Paths order them.
func (r *relay) dissected(piece int) []exchange {
	r.Close()
	r.open.Wait()
	var x exchanges
	for _, steps := range r.sessions {
		feed(dissect.New(&x, &x), piece, steps...)
	}
	byPath(x.list)
	return x.list
}

func byPath(list []exchange) {
	slices.SortFunc(list, func(a, b exchange) int {
		return slices.Compare([]string{a.Path, a.Method}, []string{b.Path, b.Method})
	})
}
