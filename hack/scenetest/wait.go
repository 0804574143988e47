package scenetest

import (
	"bytes"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/clearspan/clearspan/hack/tempo"
)

// Transcript is what a process wrote. Safe for concurrent use.
type Transcript struct {
	mu   sync.Mutex
	text []byte
}

func (t *Transcript) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.text) < 8<<20 {
		t.text = append(t.text, p...)
	}
	return len(p), nil
}

func (t *Transcript) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.text)
}

// Eventually waits until ok returns true, half a minute at most.
func Eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	tempo.Until(t, what, ok)
}

// AwaitLog waits until so many lines of the appliance's log have all the parts.
func (c *Scene) AwaitLog(times int, parts ...string) {
	c.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		n := 0
	lines:
		for line := range strings.Lines(c.Appliance.Log()) {
			for _, part := range parts {
				if !strings.Contains(line, part) {
					continue lines
				}
			}
			n++
		}
		if n >= times {
			return
		}
	}
	c.Fatalf("the log has not %d lines with %q:\n%s", times, parts, c.Appliance.Log())
}

// Same fails the test if two contents differ, without printing them.
func Same(t testing.TB, what string, got, want []byte) {
	t.Helper()
	if !bytes.Equal(got, want) {
		t.Errorf("%s: %d octets differ from the %d expected", what, len(got), len(want))
	}
}
