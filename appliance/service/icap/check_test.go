package icap

import (
	"net"
	"testing"
	"time"

	"github.com/clearspan/clearspan/hack/tempo"
)

// TestCheck: a server that is away is known before a message needs it, and so is that it
// came back. No message was sent to it: it is not left alone.
func TestCheck(t *testing.T) {
	there := serve(t, usualOptions, echo)
	away, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := away.Addr().String()
	away.Close()
	c := client(t, func(cfg *Config) { cfg.URLs = append(cfg.URLs, "icap://"+address+"/double") }, there)
	c.Check(10 * time.Millisecond)
	state := func(server string) Status {
		for _, s := range c.Servers() {
			if s.Server == server {
				return s
			}
		}
		t.Fatalf("no server %s in %+v", server, c.Servers())
		panic("unreachable")
	}
	tempo.Until(t, "one server is found away", func() bool {
		s := state(address)
		return s.Err != nil && s.Up && state(there.ln.Addr().String()).Err == nil
	})
	tempo.Until(t, "its port is free", func() bool {
		away, err = net.Listen("tcp", address)
		return err == nil
	})
	serveOn(t, away, usualOptions, echo)
	tempo.Until(t, "it is found again", func() bool { return state(address).Err == nil })
}
