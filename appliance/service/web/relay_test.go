package web

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"testing"

	"github.com/clearspan/clearspan/decrypt"
)

// socket is one end of a session over TCP.
type socket struct{ *net.TCPConn }

func (s socket) Abort() {
	s.SetLinger(0)
	s.Close()
}

// relay carries every connection to a listener to an origin.
type relay struct {
	address string
	mu      sync.Mutex
	errs    []error
}

// serve has sessions of e between l and what dial gives. With alpn "" the
// protocol is found by its octets.
func serve(t *testing.T, e *Engine, alpn string, l net.Listener, dial func() (net.Conn, error)) *relay {
	r := &relay{address: l.Addr().String()}
	var wg sync.WaitGroup
	ctx, cancel := context.WithCancel(context.Background())
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				client := socket{c.(*net.TCPConn)}
				defer client.Close()
				o, err := dial()
				if err != nil {
					t.Error(err)
					return
				}
				origin := socket{o.(*net.TCPConn)}
				defer origin.Close()
				defer context.AfterFunc(ctx, func() { client.Abort(); origin.Abort() })()
				s := &decrypt.Session{Client: netip.MustParseAddrPort("192.0.2.1:50000"), Origin: netip.MustParseAddrPort("198.51.100.2:443"), ALPN: alpn}
				err = e.Carry(ctx, s, client, origin)
				if err != nil {
					client.Abort()
					origin.Abort()
				}
				r.mu.Lock()
				r.errs = append(r.errs, err)
				r.mu.Unlock()
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		cancel()
		wg.Wait()
	})
	return r
}
