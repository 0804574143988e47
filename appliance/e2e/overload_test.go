package e2e

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/clearspan/clearspan/hack/lab"
	"github.com/clearspan/clearspan/hack/tempo"
)

// group makes a control group of so much memory for the appliance.
func group(t *testing.T, octets uint64) *lab.MemoryGroup {
	t.Helper()
	g, err := lab.NewMemoryGroup("clearspan-test-"+time.Now().Format("150405.000000"), octets)
	if errors.Is(err, errors.ErrUnsupported) && os.Getenv("CI") == "" {
		t.Skipf("no control group to be had: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := g.Close(); err != nil {
			t.Error(err)
		}
	})
	return g
}

// TestMemoryRunsOut gives an appliance that may take 128 MiB more sessions than
// fit in, with readers that do not read among them. It sheds what does not fit and
// serves the others; the kernel kills nothing. With CLEARSPAN_ROUNDS of 5 there are
// 20,000 for 256 MiB.
func TestMemoryRunsOut(t *testing.T) {
	sessions, octets := 1800, uint64(128<<20)
	if tempo.Rounds() > 1 {
		sessions, octets = 4000*tempo.Rounds(), 256<<20
	}
	for _, overload := range []string{"refuse", "tunnel"} {
		t.Run(overload, func(t *testing.T) {
			memory := group(t, octets)
			c := newScene(t, settings{Memory: memory, Plain: true, Blind: true, Full: "drop", More: "limits: {overload: " + overload + "}"})
			c.Listen(6443, c.Echo(&tls.Config{Certificates: []tls.Certificate{c.Pair(c.Cert)}}))
			config := &tls.Config{RootCAs: c.Pool(c.CA, c.PKI.RootFile), ServerName: webName}
			var all sync.WaitGroup
			var mu sync.Mutex
			var open []*tls.Conn
			var refused int
			slots := make(chan struct{}, 64)
			for range sessions {
				slots <- struct{}{}
				all.Go(func() {
					defer func() { <-slots }()
					conn, err := c.Secret(6443, config)
					mu.Lock()
					defer mu.Unlock()
					if err != nil {
						refused++
						return
					}
					open = append(open, conn)
				})
			}
			all.Wait()
			// Nobody reads what comes back.
			for _, conn := range open[:min(len(open), 200)] {
				all.Go(func() {
					conn.SetWriteDeadline(time.Now().Add(2 * time.Second))
					for range 64 {
						if _, err := conn.Write(make([]byte, 64<<10)); err != nil {
							return
						}
					}
				})
			}
			all.Wait()
			usual := 0
			for _, conn := range open[min(len(open), 200):] {
				conn.SetDeadline(time.Now().Add(10 * time.Second))
				if _, err := io.WriteString(conn, "still there?"); err != nil {
					continue
				}
				if _, err := io.ReadFull(conn, make([]byte, 12)); err == nil {
					usual++
				}
			}
			kills, err := memory.Kills()
			if err != nil {
				t.Fatal(err)
			}
			m := c.Metrics()
			shed := m[`clearspan_intake_refusals_total{intake="gateway",reason="memory-short"}`]
			t.Logf("%d sessions: %d open, %d refused (%v for memory), %d of %d others served, %v of %v octets in use", sessions,
				len(open), refused, shed, usual, max(0, len(open)-200), m["clearspan_memory_used_octets"], m["clearspan_memory_limit_octets"])
			if kills > 0 || usual < len(open)-200 || len(open) < 200 {
				t.Errorf("%d processes killed, %d sessions served of %d", kills, usual, len(open))
			}
			for _, conn := range open {
				conn.NetConn().(*net.TCPConn).SetLinger(0)
				conn.Close()
			}
			// Room comes back with the sessions' end.
			c.Nginx()
			c.Curl("--retry", "20", "--retry-delay", "0", "--retry-all-errors", "--retry-max-time", "10", "-o", "/dev/null", "https://"+webName+"/")
			c.Stop()
			actions := make(map[string]int)
			for _, e := range c.Entries() {
				actions[e.Action+" by "+e.Rule]++
			}
			t.Logf("%v", actions)
			if relieved := actions["tunnel by overload"]; (relieved > 0) != (overload == "tunnel") || overload == "refuse" && shed == 0 {
				t.Errorf("%d tunneled for want of room, %v refused", relieved, shed)
			}
		})
	}
}
