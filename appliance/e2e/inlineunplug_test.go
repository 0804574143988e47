package e2e

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/clearspan/clearspan/hack/lab"
	"github.com/clearspan/clearspan/hack/scenetest"
)

// TestInlineUnplugged takes a cable out of a device while sessions come and go, and
// puts it back. Those of which the device has octets are reset, an idle one goes on,
// new ones do what is configured, and all go through the device again afterwards.
// Clients are never told an orderly end that was none, and trail and counters say
// what became of each.
func TestInlineUnplugged(t *testing.T) {
	for _, tt := range []struct{ how, word, port string }{{"closed", "refused", "dev0"}, {"open", "bypassed", "dev1"}} {
		t.Run(tt.how, func(t *testing.T) {
			c, d := deviceScene(t, "timeout: 1s, on_failure: "+tt.how, (*device).bridge, settings{})
			c.ListenTLS(6443, func(conn *tls.Conn, _ net.Conn) { reply(conn) })
			l := &comers{scene: c, config: &tls.Config{RootCAs: c.Pool(c.CA), ServerName: webName}}
			idle, busy := l.talk(0), l.talk(1)
			for _, s := range []*talk{idle, busy} {
				s.open(c, l.config)
				s.say(1)
			}
			l.start(4, busy)
			defer l.end()
			scenetest.Eventually(t, "sessions are carried", func() bool { return d.events("carried") >= 20 })
			d.plug(tt.port, false)
			scenetest.Eventually(t, "it is noticed", func() bool { return d.logged("inline device is unplugged") })
			scenetest.Eventually(t, "sessions meet a device that is down", func() bool { return d.events(tt.word) >= 20 })
			scenetest.Eventually(t, "the busy session is reset", func() bool { return d.events("timed-out") >= 1 })
			d.plug(tt.port, true)
			scenetest.Eventually(t, "it is noticed", func() bool { return d.logged("inline device is plugged in") })
			before := d.events("carried")
			scenetest.Eventually(t, "sessions are carried again", func() bool { return d.events("carried") >= before+20 })
			idle.say(50)
			idle.end()
			if idle.err != nil {
				t.Errorf("the idle session: %v", idle.err)
			}
			l.end()
			scenetest.Eventually(t, "sessions ended", func() bool { return scenetest.Opened(c.Metrics()) == 0 })
			counted := make(map[string]int)
			for _, word := range []string{"carried", "port-changed", "reset", "timed-out", "bypassed", "refused", "broken"} {
				if n := d.events(word); n > 0 {
					counted[word] = n
				}
			}
			t.Logf("sessions: %v", counted)
			c.Stop()
			l.judge(d, append([]*talk{idle, busy}, l.done...), counted)
		})
	}
}

// comers are clients that open sessions one after the other.
type comers struct {
	*scene
	config  *tls.Config
	stopped atomic.Bool
	workers sync.WaitGroup

	mu   sync.Mutex
	done []*talk
}

func (l *comers) talk(n int) *talk {
	address := []string{lab.OriginV4, lab.OriginV6}[n%2]
	return &talk{marker: fmt.Sprintf("session %d", n), origin: netip.AddrPortFrom(netip.MustParseAddr(address), 6443)}
}

// start has n clients begin, and one whose session, busy, never rests.
func (l *comers) start(n int, busy *talk) {
	l.workers.Go(func() {
		for !l.stopped.Load() && busy.err == nil {
			busy.say(20)
		}
		busy.end()
	})
	for worker := range n {
		l.workers.Go(func() {
			for i := 0; !l.stopped.Load(); i++ {
				s := l.talk(n*i + worker)
				s.open(l.scene, l.config)
				s.say(20)
				s.end()
				l.mu.Lock()
				l.done = append(l.done, s)
				l.mu.Unlock()
				time.Sleep(10 * time.Millisecond) // so that there are hundreds, not thousands
			}
		})
	}
}

// end has the clients stop, and waits for them. It may be called again.
func (l *comers) end() {
	l.stopped.Store(true)
	l.workers.Wait()
}

// judge compares what clients had of their sessions with what entries say of the
// device, and that with the counters. Sessions from the same port are in order.
func (l *comers) judge(d *device, sessions []*talk, counted map[string]int) {
	l.Helper()
	reasons := map[string]string{ // by what became of a session
		"carried": "", "port-changed": "", "bypassed": "",
		"refused": "inline-failed", "timed-out": "inline-timeout", "reset": "inline-reset",
	}
	entries := make(map[netip.AddrPort][]entry) // of a port that was taken again there are several, in order
	for _, e := range l.Entries() {
		entries[e.Client] = append(entries[e.Client], e)
		word := d.word(e)
		counted[word]--
		if reason, ok := reasons[word]; !ok || e.Reason != reason {
			l.Errorf("session %s of %s: the device %q, reason %q, want %q", e.Session, e.Client, word, e.Reason, reason)
		}
	}
	for word, n := range counted {
		if n != 0 {
			l.Errorf("counted are %d more sessions as %s than there are entries", n, word)
		}
	}
	for _, s := range sessions {
		if len(entries[s.client]) == 0 {
			l.Errorf("no entry for %s: %v", s.client, s.err)
			continue
		}
		e := entries[s.client][0]
		entries[s.client] = entries[s.client][1:]
		if good := reasons[d.word(e)] == ""; good != (s.err == nil) {
			l.Errorf("session of %s: the device %q, the client %v", s.client, d.word(e), s.err)
		}
	}
}
