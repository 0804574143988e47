package wirefuzz

import (
	"bytes"
	"fmt"
	"net/netip"
	"strings"
	"time"
)

// Kinds of divergences.
const (
	forbidden = "forbidden" // the origin got the hello with the name that is terminated
	unjudged  = "unjudged"  // the origin got octets of a connection that nobody judged
	differs   = "differs"   // the origin got other octets than were judged
	damaged   = "damaged"   // the origin got octets that were only ever sent with a bad checksum
	lost      = "lost"      // a well-behaved client's octets did not arrive
)

// divergence is a breach of the law.
type divergence struct {
	kind   string
	got    []byte
	judged []judgement
	client netip.AddrPort
}

func (d *divergence) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: the origin got of %s %s", d.kind, d.client, describe(d.got))
	for _, j := range d.judged {
		fmt.Fprintf(&b, "; %s: %s", j.kind, describe(j.octets))
	}
	if len(d.judged) == 0 {
		b.WriteString("; nothing was judged")
	}
	return b.String()
}

// describe names octets by the hello that they begin with, or shows some of them.
func describe(b []byte) string {
	if name := nameIn(b); name != "" {
		return fmt.Sprintf("%d octets, a hello for %s", len(b), name)
	}
	names := ""
	for _, n := range []string{evilName, bankName, bumpName, harmName} {
		if bytes.Contains(b, []byte(n)) {
			names += ", with " + n
		}
	}
	return fmt.Sprintf("%d octets%s: %.40q", len(b), names, b)
}

// judge holds what an origin received against what was judged. What looks like a
// breach is looked at again after a while: the daemon's word may be on its way.
func (r *rig) judge(c *Case, client netip.AddrPort, received func() [][]byte) *divergence {
	d := check(c, received(), r.judgements.of(client))
	for end := time.Now().Add(secondLook); d != nil && time.Now().Before(end); {
		time.Sleep(20 * time.Millisecond)
		d = check(c, received(), r.judgements.of(client))
	}
	if d != nil {
		d.client = client
	}
	return d
}

// check is the law.
func check(c *Case, streams [][]byte, judged []judgement) *divergence {
	for _, got := range streams {
		if len(got) == 0 {
			continue
		}
		if nameIn(got) == evilName {
			return &divergence{kind: forbidden, got: got, judged: judged}
		}
		if bytes.Contains(got, []byte(harmName)) && !c.sound("harm") {
			return &divergence{kind: damaged, got: got, judged: judged}
		}
		if len(judged) == 0 {
			return &divergence{kind: unjudged, got: got}
		}
		if !explained(got, judged) {
			return &divergence{kind: differs, got: got, judged: judged}
		}
	}
	return nil
}

// explained reports whether a judgement is about what was received. Behind the
// flight of a connection that passes, anything may follow.
func explained(got []byte, judged []judgement) bool {
	for _, j := range judged {
		if j.kind == ended {
			continue
		}
		n := min(len(got), len(j.octets))
		if bytes.Equal(got[:n], j.octets[:n]) && (j.kind == passed || n == len(got)) {
			return true
		}
	}
	return false
}

// sound reports whether a text is ever sent with a good checksum.
func (c *Case) sound(text string) bool {
	for _, s := range c.Steps {
		if (s.Text == text || s.Cover == text) && !s.BadSum {
			return true
		}
	}
	return false
}
