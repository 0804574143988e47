package alone

import (
	"bufio"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/clearspan/clearspan/hack/lab"
	"github.com/clearspan/clearspan/hack/netlab"
	"github.com/clearspan/clearspan/hack/scenetest"
	"github.com/clearspan/clearspan/hack/tempo"
)

// floodPort is where the origin answers the flood.
const floodPort = 6443

// TestWireFailsOpen kills the worker, the keeper or both, or has them stand still, under new TLS
// connections and amid transfers that it does not carry. CLEARSPAN_ROUNDS takes
// the figures so many times, of a build without the race detector and at 500
// connections a second.
func TestWireFailsOpen(t *testing.T) {
	pace := 10 * time.Millisecond
	if tempo.Rounds() > 1 {
		pace = 2 * time.Millisecond
	}
	both := func(a *lab.Appliance, sig syscall.Signal) error { return a.SignalAll(sig) }
	for _, tt := range []struct {
		name  string
		hit   func(*lab.Appliance, syscall.Signal) error
		sig   syscall.Signal
		limit time.Duration // for connections begun after the signal to fail, on a quiet machine
	}{
		{"kill both", both, syscall.SIGKILL, 10 * time.Millisecond},
		{"kill worker", func(a *lab.Appliance, sig syscall.Signal) error { return syscall.Kill(a.Worker(), sig) }, syscall.SIGKILL, 10 * time.Millisecond},
		{"kill keeper", func(a *lab.Appliance, sig syscall.Signal) error { return a.Signal(sig) }, syscall.SIGKILL, 10 * time.Millisecond},
		{"stop", both, syscall.SIGSTOP, 150 * time.Millisecond},
	} {
		if tt.name == "kill keeper" && !tempo.Thorough() {
			continue // the worker closes its listeners then, as at a stop
		}
		for round := range tempo.Rounds() {
			t.Run(fmt.Sprintf("%s/%d", tt.name, round), func(t *testing.T) {
				c := newFailing(t, "")
				c.fail(func() error { return tt.hit(c.appliance, tt.sig) }, pace, tt.limit)
				c.again(tt.name == "kill worker")
			})
		}
	}
}

// failing is a wire of which a test lets the appliance fail.
type failing struct {
	*testing.T
	*lab.Gateway
	name, dir string
	start     func() *lab.Appliance
	appliance *lab.Appliance
	web       *lab.Web
	pki       *lab.PKI
	trust     *tls.Config // of clients that know the box and the origin
}

// newFailing starts the box. more are further keys of the wire.
func newFailing(t *testing.T, more string) *failing {
	t.Helper()
	network, err := lab.NewInline(netlab.ForTest(t))
	if err != nil {
		t.Fatal(err)
	}
	c := &failing{T: t, Gateway: network, name: fmt.Sprintf("fail-%d", os.Getpid())}
	s := &scene{&scenetest.Scene{T: t, Gateway: network, Ctx: t.Context()}} // for its helpers
	if c.pki, err = lab.NewPKI(s.Directory("pki")); err != nil {
		t.Fatal(err)
	}
	s.PKI = c.pki
	if s.Cert, err = c.pki.Issue(webName, lab.OriginV4); err != nil {
		t.Fatal(err)
	}
	c.web = s.Nginx()
	s.Listen(floodPort, s.Echo(&tls.Config{Certificates: []tls.Certificate{s.Pair(s.Cert)}}))
	c.dir = s.Directory("box")
	yaml := fmt.Sprintf(`state: state
intake:
  - {name: %s, mode: wire, legs: [%s, %s], ports: [443, %d]%s}
origin: {roots: [%q]}
policy: {default: bump, rules: [{name: bank, host: [bank.example.test], origin: [192.0.2.10], action: tunnel}]}
audit: {file: sessions.jsonl}
admin: {listen: "off"}
`, c.name, lab.LANInterface, lab.WANInterface, floodPort, more, c.pki.RootFile)
	c.start = func() *lab.Appliance {
		a, err := lab.StartAppliance(c.Box, c.dir, scenetest.Binary, yaml)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	c.appliance = c.start()
	t.Cleanup(func() {
		if r, err := lab.Run(context.Background(), c.Box, "", scenetest.Binary, "wire", "remove", c.name); err != nil {
			t.Errorf("remove wire: %v\n%s", err, r.Stderr)
		}
	})
	pool := s.Pool(filepath.Join(c.dir, "state", "authority", "ca.crt"))
	root, err := os.ReadFile(c.pki.RootFile)
	if err != nil || !pool.AppendCertsFromPEM(root) {
		t.Fatal("no root of the origin", err)
	}
	c.trust = &tls.Config{RootCAs: pool, ServerName: webName}
	s.AwaitTaking(c.name)
	return c
}

// attempt is one connection of the flood.
type attempt struct {
	begun  time.Time
	forged bool
	err    error
}

// once opens a TLS connection and has a line echoed, within a time.
func (c *failing) once(within time.Duration) (a attempt) {
	a.begun = time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	conn, err := c.Client.DialContext(ctx, "tcp", fmt.Sprintf("%s:%d", lab.OriginV4, floodPort))
	if err != nil {
		a.err = err
		return a
	}
	defer conn.Close()
	conn.SetDeadline(a.begun.Add(within))
	client := tls.Client(conn, c.trust)
	if a.err = client.Handshake(); a.err != nil {
		return a
	}
	a.forged = strings.Contains(client.ConnectionState().PeerCertificates[0].Issuer.String(), "clearspan")
	if _, a.err = io.WriteString(client, "hello\n"); a.err == nil {
		_, a.err = bufio.NewReader(client).ReadString('\n')
	}
	return a
}

// again has the box take connections again: by its keeper, or by a start.
func (c *failing) again(keeper bool) {
	c.Helper()
	at := time.Now()
	if !keeper {
		c.appliance.SignalAll(syscall.SIGKILL)
		<-c.appliance.Done()
		c.appliance = c.start()
	}
	tempo.Until(c.T, "connections are taken again", func() bool { return c.once(2 * time.Second).forged })
	c.Logf("taken again after %v", time.Since(at))
	if err := c.appliance.Stop(); err != nil {
		c.Error(err)
	}
}

// fail does what makes the box fail and judges what happens.
func (c *failing) fail(hit func() error, pace, limit time.Duration) {
	c.Helper()
	const size = 64 << 20
	content := make([]byte, size)
	for i := range content {
		content[i] = byte(i >> 8 * 7)
	}
	if err := os.WriteFile(filepath.Join(c.web.Root, "large.bin"), content, 0o644); err != nil {
		c.Fatal(err)
	}
	var all sync.WaitGroup
	transfer := func(url string, args ...string) {
		all.Go(func() {
			file := filepath.Join(c.dir, "got-"+url[:5])
			args := append(lab.Resolve("bank.example.test", lab.OriginV4), append(args, "--limit-rate", "40M", "--http1.1", "-o", file, url)...)
			if r, err := lab.Curl(c.Context(), c.Client, c.pki.RootFile, args...); err != nil {
				c.Errorf("%s: %v\n%s", url, err, r.Stderr)
				return
			}
			if got, err := os.ReadFile(file); err != nil || sha256.Sum256(got) != sha256.Sum256(content) {
				c.Errorf("%s: %d octets, %v, differ from the origin's", url, len(got), err)
			}
		})
	}
	transfer("https://bank.example.test/large.bin", "-k") // nginx has no certificate for it
	transfer("http://" + lab.OriginV4 + "/large.bin")

	var mu sync.Mutex
	var attempts []attempt
	ctx, cancel := context.WithCancel(c.Context())
	defer cancel()
	all.Go(func() {
		for tick := time.NewTicker(pace); ; {
			select {
			case <-ctx.Done():
				tick.Stop()
				return
			case <-tick.C:
			}
			all.Go(func() {
				a := c.once(2 * time.Second)
				mu.Lock()
				attempts = append(attempts, a)
				mu.Unlock()
			})
		}
	})
	time.Sleep(500 * time.Millisecond)
	at := time.Now()
	if err := hit(); err != nil {
		c.Fatal(err)
	}
	time.Sleep(600 * time.Millisecond)
	cancel()
	all.Wait()

	var before, forged, after, failed int
	var last time.Duration
	for _, a := range attempts {
		if a.begun.Before(at) {
			before++
			if a.forged {
				forged++
			}
			continue
		}
		after++
		if a.err != nil {
			failed++
			last = max(last, a.begun.Sub(at))
		}
	}
	c.Logf("%d connections before the signal, %d taken; of %d after it %d failed, the last one begun after %v", before, forged, after, failed, last)
	if forged == 0 || after == 0 {
		c.Error("nothing was taken before, or begun after, the signal")
	}
	if last > 4*limit { // the figure is for a quiet machine
		c.Errorf("connections failed for %v, limit %v", last, limit)
	}
}
