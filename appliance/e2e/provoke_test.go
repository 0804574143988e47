package e2e

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/clearspan/clearspan/hack/lab"
)

// limited returns the appliance's program, or one that runs it within the limits of
// s, with a variable in its environment, or with a hosts file of its own.
func (c *scene) limited(s settings) string {
	c.Helper()
	program := binary
	if s.plain {
		var err error
		if program, err = plainBinary(); err != nil {
			c.Fatal(err)
		}
	}
	if s.nofile == 0 && s.memory == nil && s.env == "" && s.hosts == "" {
		return program
	}
	enter := ":"
	if s.memory != nil {
		enter = s.memory.Enter()
	}
	names := ""
	if s.hosts != "" {
		c.write(filepath.Join(c.dir, "hosts"), []byte(s.hosts))
		names = fmt.Sprintf("[ \"$OWN\" ] || OWN=1 exec unshare --mount \"$0\" \"$@\"\nmount --bind %s /etc/hosts || exit 1\n", filepath.Join(c.dir, "hosts"))
	}
	limit := ""
	if s.nofile > 0 {
		limit = fmt.Sprintf("prlimit --nofile=%d -- ", s.nofile)
	}
	script := filepath.Join(c.dir, "limited")
	text := fmt.Sprintf("#!/bin/sh\n%s\n%sexec env %s %s%s \"$@\"\n", enter, names, s.env, limit, program)
	if err := os.WriteFile(script, []byte(text), 0o755); err != nil {
		c.Fatal(err)
	}
	return script
}

// gapFilter matches what a feed from which octets were lost never holds: all but
// the two marks that tshark puts on a gap.
const gapFilter = "tcp.analysis.retransmission || tcp.analysis.fast_retransmission || tcp.analysis.spurious_retransmission" +
	" || tcp.analysis.out_of_order || tcp.analysis.reused_ports || tcp.analysis.keep_alive || tcp.analysis.keep_alive_ack" +
	" || tcp.analysis.duplicate_ack || tcp.analysis.window_full || tcp.analysis.zero_window || tcp.analysis.zero_window_probe" +
	" || tcp.analysis.zero_window_probe_ack || _ws.malformed || tcp.checksum.status==0 || ip.checksum.status==0"

// problems returns what tshark objects to in a capture. Where octets are lost on
// purpose it may miss them, and nothing else.
func (c *scene) problems(file string) ([]string, error) {
	if !c.gaps {
		return lab.Problems(c.ctx, file)
	}
	rows, err := lab.Fields(c.ctx, file, gapFilter, "frame.number", "_ws.col.Info")
	var list []string
	for _, row := range rows {
		list = append(list, strings.Join(row, " "))
	}
	return list, err
}

// againPattern is what tshark says of a SYN of the same ports as one before.
var againPattern = regexp.MustCompile(`(\S+) → \S+ +TCP \d+ \[TCP Port numbers reused\] (\d+) → \d+ \[SYN\]`)

// objections are the problems but those that are only a client's port taken again, as
// Linux does where calls of connect(2) race. Each must be borne out by a session more
// from that port.
func (c *scene) objections(problems []string) (list []string) {
	c.Helper()
	var sessions map[string]int // by the client's address and port, less what was borne out
	for _, p := range problems {
		m := againPattern.FindStringSubmatch(p)
		if m == nil {
			list = append(list, p)
			continue
		}
		if sessions == nil {
			sessions = make(map[string]int)
			for _, e := range c.entries() {
				sessions[e.Client.String()]++
			}
		}
		client := net.JoinHostPort(m[1], m[2])
		if sessions[client] < 2 {
			list = append(list, p)
		}
		sessions[client]--
	}
	return list
}

// awaitLog waits until so many lines of the appliance's log have all the parts.
func (c *scene) awaitLog(times int, parts ...string) {
	c.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		n := 0
	lines:
		for line := range strings.Lines(c.appliance.Log()) {
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
	c.Fatalf("the log has not %d lines with %q:\n%s", times, parts, c.appliance.Log())
}
