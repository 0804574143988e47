package lab

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/clearspan/clearspan/hack/netlab"
)

// captureBuffer is the ring between kernel and tcpdump, in KiB.
const captureBuffer = 64 << 10

// Capture is a recorder: tcpdump on one interface, writing one file.
type Capture struct {
	File string

	ns     *netlab.Namespace
	ifname string
	cmd    *netlab.Cmd
	said   *transcript
}

// StartCapture records all frames of an interface, both directions, into a
// pcap file, and returns when recording has begun. The file's name ends with
// .pcap, which AppArmor asks of tcpdump.
func StartCapture(ns *netlab.Namespace, ifname, file string) (*Capture, error) {
	if !strings.HasSuffix(file, ".pcap") {
		return nil, fmt.Errorf("start capture: file %s does not end with .pcap", file)
	}
	c := &Capture{File: file, ns: ns, ifname: ifname, said: &transcript{}}
	c.cmd = ns.Command(context.Background(), "tcpdump", "-i", ifname, "-n", "-U", "-s", "0",
		"-B", strconv.Itoa(captureBuffer), "-Z", "root", "-w", file)
	c.cmd.Env, c.cmd.Stderr = environment("/nonexistent"), c.said
	if err := c.cmd.Start(); err != nil {
		return nil, err
	}
	// tcpdump says this after it has bound its socket and opened the file.
	deadline := time.Now().Add(startLimit)
	for !strings.Contains(c.said.String(), "listening on") {
		select {
		case <-c.cmd.Done():
			return nil, fmt.Errorf("start capture on %s: %s", ifname, c.said)
		case <-time.After(pollEvery):
		}
		if time.Now().After(deadline) {
			err := c.cmd.Stop(time.Second)
			return nil, fmt.Errorf("start capture on %s: silent for %v: %v", ifname, startLimit, err)
		}
	}
	return c, nil
}

// Counts are tcpdump's own.
type Counts struct {
	Captured uint64 // frames in the file
	Received uint64 // frames that reached the ring or were dropped before it
	Dropped  uint64 // frames for which the ring had no room
}

// Stop ends the recording once the interface is quiet and everything in the
// ring is in the file, which takes about a second. A frame lost, or an interface
// that is not quiet within 20 s, is an error; the file is complete up to then.
func (c *Capture) Stop() (Counts, error) {
	quiet, quietErr := c.settle()
	_ = c.cmd.Signal(syscall.SIGINT)
	select {
	case <-c.cmd.Done():
	case <-time.After(stopLimit):
	}
	if err := c.cmd.Stop(0); err != nil {
		return Counts{}, fmt.Errorf("stop capture on %s: %w: %s", c.ifname, err, c.said)
	}
	n, ok := c.said.counts()
	switch {
	case !ok:
		return n, fmt.Errorf("stop capture on %s: no counts in %q", c.ifname, c.said)
	case n.Dropped > 0 || n.Captured < quiet.Captured: // what came after the quiet may be counted and not read
		return n, fmt.Errorf("capture on %s lost frames: %d received, %d captured, %d dropped",
			c.ifname, n.Received, n.Captured, n.Dropped)
	}
	return n, quietErr
}

// settle waits until the interface's counters stand still and tcpdump has
// written all that it received, and returns its counts then.
func (c *Capture) settle() (n Counts, err error) {
	var before uint64
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); {
		attrs, err := c.ns.Interface(c.ifname)
		if err != nil {
			return n, err
		}
		now := attrs.Statistics.RxPackets + attrs.Statistics.TxPackets
		c.said.forgetCounts()
		_ = c.cmd.Signal(syscall.SIGUSR1) // print the counts
		select {
		case <-c.cmd.Done():
			return n, errors.New("tcpdump ended by itself")
		case <-time.After(5 * pollEvery):
		}
		if n, ok := c.said.counts(); ok && n.Captured == n.Received && now == before {
			return n, nil
		}
		before = now
	}
	return n, fmt.Errorf("interface %s is not quiet", c.ifname)
}

// transcript collects what tcpdump says: a few lines, bounded all the same.
// Safe for concurrent use.
type transcript struct {
	mu   sync.Mutex
	text []byte
}

func (t *transcript) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.text) < 64<<10 {
		t.text = append(t.text, p...)
	}
	return len(p), nil
}

func (t *transcript) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.text)
}

func (t *transcript) forgetCounts() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = t.text[:0]
}

var countPattern = regexp.MustCompile(`(\d+) packets? (captured|received by filter|dropped by kernel)`)

// counts returns the last counts of a transcript, if all three are there.
func (t *transcript) counts() (n Counts, ok bool) {
	found := 0
	for _, m := range countPattern.FindAllStringSubmatch(t.String(), -1) {
		v, err := strconv.ParseUint(m[1], 10, 64)
		if err != nil {
			return n, false
		}
		switch m[2] {
		case "captured":
			n.Captured, found = v, 1
		case "received by filter":
			n.Received, found = v, found|2
		default:
			n.Dropped, found = v, found|4
		}
	}
	return n, found == 7
}
