package scenetest

import (
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	// AdminAddr is where the appliance of a scene answers its operators.
	AdminAddr = "127.0.0.1:8090"
	// ResidentMetric is the metric of the memory that a process has.
	ResidentMetric = "process_resident_memory_bytes"
)

// Metrics reads all metrics of the appliance, by name and labels.
func (c *Scene) Metrics() map[string]float64 {
	c.Helper()
	client := http.Client{
		Transport: &http.Transport{DialContext: c.Box.DialContext, DisableKeepAlives: true},
		Timeout:   10 * time.Second,
	}
	r, err := client.Get("http://" + AdminAddr + "/metrics")
	if err != nil {
		c.Fatal(err)
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil || r.StatusCode != http.StatusOK {
		c.Fatalf("read metrics: %s, %v", r.Status, err)
	}
	m := make(map[string]float64)
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		at := strings.LastIndexByte(line, ' ')
		if m[line[:max(at, 0)]], err = strconv.ParseFloat(strings.TrimSpace(line[at+1:]), 64); err != nil {
			c.Fatalf("metric %q: %v", line, err)
		}
	}
	return m
}

// Opened sums up the sessions that are open, over all intakes.
func Opened(m map[string]float64) (n float64) {
	for name, value := range m {
		if strings.HasPrefix(name, "clearspan_sessions_open") {
			n += value
		}
	}
	return n
}

// Quiet waits until no session is open and the appliance has no more goroutines
// and descriptors than before, apart from the files that captures go to and a
// worker or two of the Go runtime.
func (c *Scene) Quiet(before map[string]float64) {
	c.Helper()
	// Go keeps two pipes of splice(2); a capture file is opened at the first frame.
	const spare, spareDescriptors = 4, 8
	var m map[string]float64
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		m = c.Metrics()
		if Opened(m) == 0 && m["go_goroutines"] <= before["go_goroutines"]+spare &&
			m["process_open_fds"] <= before["process_open_fds"]+spareDescriptors {
			return
		}
	}
	c.Errorf("left in the appliance: %v sessions, %v goroutines (%v before), %v descriptors (%v before)",
		Opened(m), m["go_goroutines"], before["go_goroutines"], m["process_open_fds"], before["process_open_fds"])
}
