// Package webtest plays the two ends of sessions, and services, for tests of the
// engine and of what it consists of.
package webtest

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"

	"github.com/clearspan/clearspan/appliance/service/web"
	"github.com/clearspan/clearspan/decrypt"
)

// Socket is one end of a session over TCP.
type Socket struct{ *net.TCPConn }

// Abort implements [decrypt.End].
func (s Socket) Abort() {
	s.SetLinger(0)
	s.Close()
}

// Relay carries every connection to a listener to an origin.
type Relay struct {
	Address string

	mu   sync.Mutex
	errs []error
}

// Errors returns why sessions ended, nil for one that ended in order.
func (r *Relay) Errors() []error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.errs)
}

// Serve has sessions of e between l and what dial gives. With alpn "" the
// protocol is found by its octets.
func Serve(t *testing.T, e *web.Engine, alpn string, l net.Listener, dial func() (net.Conn, error)) *Relay {
	r := &Relay{Address: l.Addr().String()}
	var wg sync.WaitGroup
	ctx, cancel := context.WithCancel(context.Background())
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				client := Socket{c.(*net.TCPConn)}
				defer client.Close()
				o, err := dial()
				if err != nil {
					t.Error(err)
					return
				}
				origin := Socket{o.(*net.TCPConn)}
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
