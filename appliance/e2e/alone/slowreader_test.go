package alone

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/clearspan/clearspan/hack/lab"
	"github.com/clearspan/clearspan/hack/scenetest"
	"github.com/clearspan/clearspan/hack/tempo"
)

// TestSlowReader has a client take a large download at 64 kB/s: what the appliance
// holds for it is bounded, what the kernel holds is as the operator bounds it, and
// others do not notice. With
// CLEARSPAN_ROUNDS of more than 1 it reads for longer, and the 99th percentile of
// other clients must stay below twice of what it is without it.
func TestSlowReader(t *testing.T) {
	const (
		size      = 256 << 20
		ours      = 24 << 20 // octets: what the process may grow by, race detector and collector included
		kernel    = 8 << 20  // octets: what its two sockets may hold
		perSecond = 64_000
	)
	length, probes := 5*time.Second, 20
	if tempo.Rounds() > 1 {
		length, probes = 30*time.Second, 400
	}
	c := newScene(t, settings{Blind: true, Plain: true, Full: "drop"})
	for key, value := range map[string]string{"net.ipv4.tcp_rmem": "4096 131072 4194304", "net.ipv4.tcp_wmem": "4096 16384 2097152"} {
		if err := c.Box.Sysctl(key, value); err != nil {
			t.Fatal(err)
		}
	}
	web := c.Nginx()
	c.Page(web, "large.bin", size)
	other := c.Page(web, "other.bin", 3<<20)
	c.echoForLong(crowdPort)
	config := &tls.Config{RootCAs: c.Pool(c.CA), ServerName: webName}
	c.probe(config, 5)
	scenetest.Same(t, "page", c.Fetch("https://"+webName+"/other.bin").Content, other)
	alone := c.probe(config, probes)
	before := c.Metrics()[scenetest.ResidentMetric]

	conn, err := c.Secret(lab.TLSPort, config)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET /large.bin HTTP/1.1\r\nHost: "+webName+"\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	port := scenetest.LocalPort(conn).Client
	read := make(chan int64, 1)
	go func() {
		var total int64
		defer func() { read <- total }()
		for end := time.Now().Add(length); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
			n, err := io.CopyN(io.Discard, conn, perSecond/10)
			if total += n; err != nil {
				t.Errorf("the slow reader: %v", err)
				return
			}
		}
	}()
	var resident float64
	var held int64
	for end := time.Now().Add(length); time.Now().Before(end); time.Sleep(500 * time.Millisecond) {
		resident, held = max(resident, c.Metrics()[scenetest.ResidentMetric]), max(held, c.socketMemory(port))
	}
	beside := c.probe(config, probes)
	scenetest.Same(t, "page", c.Fetch("https://"+webName+"/other.bin").Content, other)
	slices.Sort(alone)
	slices.Sort(beside)
	p99 := func(d []time.Duration) time.Duration { return d[(len(d)-1)*99/100] }
	t.Logf("read %d octets; the process grew by %.0f KiB, its sockets for it hold %d KiB; a good client's p99 %v alone, %v beside",
		<-read, (resident-before)/1024, held>>10, p99(alone), p99(beside))
	if resident-before > ours || held > kernel || held == 0 {
		t.Errorf("%.0f octets held by the process, %d by the kernel", resident-before, held)
	}
	if tempo.Rounds() > 1 && p99(beside) >= 2*p99(alone) {
		t.Error("a slow reader delays good clients")
	}
	conn.NetConn().(*net.TCPConn).SetLinger(0)
	conn.Close()
	c.Stop()
}

var socketUse = regexp.MustCompile(`skmem:\(r(\d+),rb\d+,t\d+,tb\d+,f(\d+),w(\d+),`)

// socketMemory returns what the kernel holds for the sockets of the box in whose
// addresses the client's port is, in octets: received, queued to be sent, reserved.
func (c *scene) socketMemory(port uint16) (octets int64) {
	c.Helper()
	var out bytes.Buffer
	cmd := c.Box.Command(c.Ctx, "ss", "-tmnHO", "state", "established", fmt.Sprintf("( sport = :%d or dport = :%[1]d )", port))
	cmd.Stdout = &out
	if err := cmd.Start(); err != nil {
		c.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		c.Fatalf("ss: %v", err)
	}
	for line := range strings.Lines(out.String()) {
		m := socketUse.FindStringSubmatch(line)
		if m == nil {
			c.Fatalf("ss says %q", line)
		}
		for _, number := range m[1:] {
			n, err := strconv.ParseInt(number, 10, 64)
			if err != nil {
				c.Fatal(err)
			}
			octets += n
		}
	}
	return octets
}
