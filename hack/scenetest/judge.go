package scenetest

import (
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/clearspan/clearspan/hack/lab"
	"github.com/clearspan/clearspan/mirror/conformance"
	"github.com/clearspan/clearspan/mirror/mirrortest"
)

// Stop ends appliance and recorder and judges the recording: no frame that
// tshark objects to, and for every session and sink, octets relayed are octets
// framed plus octets lost, and octets framed are the octets in the recording. Where
// HTTP/2 is shown as HTTP/1.1, those in the recording are counted apart.
func (c *Scene) Stop() []mirrortest.Conversation {
	c.Helper()
	if c.stopped {
		return nil
	}
	c.stopped = true
	if err := c.Appliance.Stop(); err != nil {
		c.Error(err)
	}
	if c.finish != nil {
		c.finish(c)
	}
	if after := c.KernelState(); after != c.Kernel {
		c.Errorf("rules and routes of the box before:\n%s\nand after:\n%s", c.Kernel, after)
	}
	if log := c.Appliance.Log(); strings.Contains(log, "DATA RACE") || strings.Contains(log, "panic") {
		c.Errorf("appliance's log:\n%s", log)
	}
	if c.blind {
		c.Balance("recorder")
		return nil
	}
	if _, err := c.Capture.Stop(); err != nil {
		c.Error(err)
	}
	problems, err := c.Problems(c.Capture.File)
	if err != nil {
		c.Error(err)
	}
	for _, p := range c.Objections(problems) {
		c.Errorf("tshark objects: %s", p)
	}
	recorded := c.ReadCapture(c.Capture.File)
	c.Account("recorder", recorded)
	var written []mirrortest.Conversation
	files, _ := filepath.Glob(filepath.Join(c.Dir, "state", "pcap", "*"))
	for _, file := range files {
		if !strings.HasSuffix(file, ".pcapng") {
			c.Errorf("unfinished capture %s", file)
		}
		written = append(written, c.ReadCapture(file)...)
	}
	c.Account("files", written)
	return recorded
}

// read takes a capture apart; our own checkers must find nothing but breaches of
// the rules that are allowed.
func (c *Scene) ReadCapture(file string, allowed ...conformance.Rule) []mirrortest.Conversation {
	c.Helper()
	list, err := mirrortest.Conversations(file)
	if err != nil {
		c.Fatal(err)
	}
	for _, v := range list {
		for _, f := range v.Findings {
			c.Errorf("%s: %s to %s: %v", filepath.Base(file), v.Client, v.Origin, f)
		}
	}
	c.Conforms(file, allowed)
	return list
}

// Account holds the audit trail against what a sink took.
func (c *Scene) Account(sink string, seen []mirrortest.Conversation) {
	c.Helper()
	claimed := c.Balance(sink)
	session := make(map[netip.AddrPort]netip.AddrPort) // its client, by that of a stream
	for _, e := range c.Entries() {
		for _, st := range e.Mirror[sink].Streams {
			session[netip.AddrPortFrom(e.Client.Addr(), st.Port)] = e.Client
		}
	}
	inFrames := make(map[netip.AddrPort]uint64)
	for _, v := range seen {
		client := Unmapped(v.Client)
		if of, ok := session[client]; ok {
			client = of
		}
		inFrames[client] += v.Octets[0] + v.Octets[1]
	}
	for client, n := range claimed {
		if inFrames[client] != n {
			c.Errorf("client %s on %s: audit says %d octets framed, recorded are %d", client, sink, n, inFrames[client])
		}
	}
	for client, n := range inFrames {
		if _, ok := claimed[client]; !ok {
			c.Errorf("client %s on %s: %d octets recorded of a session without an entry", client, sink, n)
		}
	}
}

// Balance holds octets relayed against octets framed and lost on a sink, for every
// session, and returns the octets framed by client.
func (c *Scene) Balance(sink string) (framed map[netip.AddrPort]uint64) {
	c.Helper()
	framed = make(map[netip.AddrPort]uint64)
	for _, e := range c.Entries() {
		m, ok := e.Mirror[sink]
		if !ok {
			continue // nothing of it was to be mirrored
		}
		relayed := e.Octets["client_to_origin"] + e.Octets["origin_to_client"]
		if e.Origin.Port() == c.Deflated && relayed < m.Octets {
			relayed = m.Octets // they are shown as they were before
		}
		if relayed != m.Octets+m.Lost {
			c.Errorf("session %s on %s: %d octets relayed, %d framed and %d lost (%s)", e.Session, sink, relayed, m.Octets, m.Lost, m.Reason)
		}
		if t := m.Transcoded; t != nil {
			framed[e.Client] += t.Octets
			continue
		}
		framed[e.Client] += m.Octets
	}
	return framed
}

// gapFilter matches what a feed from which octets were lost never holds: all but
// the two marks that tshark puts on a gap.
const gapFilter = "tcp.analysis.retransmission || tcp.analysis.fast_retransmission || tcp.analysis.spurious_retransmission" +
	" || tcp.analysis.out_of_order || tcp.analysis.reused_ports || tcp.analysis.keep_alive || tcp.analysis.keep_alive_ack" +
	" || tcp.analysis.duplicate_ack || tcp.analysis.window_full || tcp.analysis.zero_window || tcp.analysis.zero_window_probe" +
	" || tcp.analysis.zero_window_probe_ack || _ws.malformed || tcp.checksum.status==0 || ip.checksum.status==0"

// Problems returns what tshark objects to in a capture. Where octets are lost on
// purpose it may miss them, and nothing else.
func (c *Scene) Problems(file string) ([]string, error) {
	if !c.Gaps {
		return lab.Problems(c.Ctx, file)
	}
	rows, err := lab.Fields(c.Ctx, file, gapFilter, "frame.number", "_ws.col.Info")
	var list []string
	for _, row := range rows {
		list = append(list, strings.Join(row, " "))
	}
	return list, err
}

// againPattern is what tshark says of a SYN of the same ports as one before.
var againPattern = regexp.MustCompile(`(\S+) → \S+ +TCP \d+ \[TCP Port numbers reused\] (\d+) → \d+ \[SYN\]`)

// Objections are the problems but those that are only a client's port taken again, as
// Linux does where calls of connect(2) race. Each must be borne out by a session more
// from that port.
func (c *Scene) Objections(problems []string) (list []string) {
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
			for _, e := range c.Entries() {
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

// Conforms holds a capture against the rules that every feed must keep, those
// allowed to be broken aside.
func (c *Scene) Conforms(file string, allowed []conformance.Rule) {
	c.Helper()
	f, err := os.Open(file)
	if err != nil {
		c.Fatal(err)
	}
	defer f.Close()
	checker := conformance.New(conformance.Options{})
	if err := checker.ReadFrom(c.Ctx, f, nil); err != nil {
		c.Errorf("%s: %v", filepath.Base(file), err)
	}
	if c.Gaps {
		allowed = append(allowed, conformance.Gap)
	}
	for rule, result := range checker.Report().Results {
		if result.Status == conformance.Fail && !slices.Contains(allowed, conformance.Rule(rule)) {
			c.Errorf("%s: broken %d times: %s: %+v", filepath.Base(file), result.Count, result.Title, result.First[0])
		}
	}
}

// Unmapped returns an IPv4 address that stands in IPv6 frames as what it is: a
// recorder sees IPv6 where client and origin speak different versions.
func Unmapped(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}

// KernelState returns everything in the box's kernel that an intake may change.
func (c *Scene) KernelState() string {
	c.Helper()
	var all strings.Builder
	for _, command := range []string{
		"nft list ruleset", "ip rule", "ip -6 rule", "ip route show table all", "ip -6 route show table all",
	} {
		args := strings.Fields(command)
		r, err := lab.Run(c.Ctx, c.Box, "", args[0], args[1:]...)
		if err != nil {
			c.Fatal(err)
		}
		all.WriteString("# " + command + "\n" + r.Stdout)
	}
	return all.String()
}
