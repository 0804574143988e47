package conformance

import (
	"time"
)

// Status is a rule's line in a report.
type Status string

const (
	OK      Status = "ok"
	Fail    Status = "FAIL"
	Noted   Status = "note"
	NotSeen Status = "not seen" // the capture holds nothing that could break the rule
)

// Occurrence is one place where a rule was broken.
type Occurrence struct {
	Frame uint64    `json:"frame"` // number in the capture, from 1
	Time  time.Time `json:"time"`
	Flow  string    `json:"flow,omitempty"` // sender > receiver
	Text  string    `json:"text"`
}

// maxOccurrences is how many are kept for a rule.
const maxOccurrences = 5

// Result is what became of a rule.
type Result struct {
	Rule    string       `json:"rule"`
	Status  Status       `json:"status"`
	Title   string       `json:"title"`
	Count   uint64       `json:"count"`  // times broken
	Judged  uint64       `json:"judged"` // times looked at
	Of      string       `json:"of"`     // frames, directions, conversations
	First   []Occurrence `json:"first,omitempty"`
	Meaning string       `json:"meaning,omitempty"` // of a broken rule
}

// Report is the judgement of a capture.
type Report struct {
	Ready         bool          `json:"ready"`         // no defect, and something to judge
	Frames        uint64        `json:"frames"`        // of any protocol
	TCP           uint64        `json:"tcp"`           // frames with a whole TCP header
	Conversations uint64        `json:"conversations"` // those that began before the capture included
	Cut           uint64        `json:"cut"`           // began before it, with Options.Cut
	Open          uint64        `json:"open"`          // did not end in it, with Options.Cut
	GivenUp       uint64        `json:"given_up"`      // not followed to their end, for want of memory
	Octets        uint64        `json:"octets"`        // of payload, each counted once
	Missing       uint64        `json:"missing"`       // octets of payload that are not there
	Span          time.Duration `json:"span_ns"`       // from the first frame to the last
	Results       []Result      `json:"results"`       // one for each rule
}

// Report ends the judgement and returns it. Nothing can be added after it.
func (c *Checker) Report() *Report {
	if !c.finished {
		c.finished = true
		for v := c.table.oldest(); v != nil; v = c.table.oldest() {
			// A running capture may show the acknowledgement later.
			c.finish(v, v.ended(), v.ended() || !c.options.Cut)
			if c.options.Cut && !v.ended() {
				c.judgeEnd(v, false)
			}
			c.table.remove(v)
		}
	}
	r := &c.report
	r.Frames, r.Ready, r.Results = c.now.frame, c.report.TCP > 0, nil
	if c.now.frame > 0 {
		r.Span = c.now.at.Sub(c.first)
	}
	for _, rule := range Rules() {
		result := c.result(rule)
		if result.Status == Fail {
			r.Ready = false
		}
		r.Results = append(r.Results, result)
	}
	return r
}

func (c *Checker) result(rule Rule) Result {
	t := rule.info()
	r := Result{Rule: t.id, Status: OK, Title: t.title, Of: string(t.of),
		Count: c.count[rule], Judged: max(c.judged[rule], c.count[rule]), First: c.firstHits[rule]}
	if rule == Handshake && c.opened == 0 && c.report.Cut > 0 {
		// They cannot all have begun before.
		r.Count += c.report.Cut
		r.First = append(r.First, c.cut...)[:min(len(r.First)+len(c.cut), maxOccurrences)]
	}
	switch {
	case r.Count > 0 && t.kind == Note:
		r.Status = Noted
	case r.Count > 0:
		r.Status = Fail
	case r.Judged == 0:
		r.Status = NotSeen
	}
	if r.Count > 0 {
		r.Meaning = t.meaning
	}
	return r
}

// Broken returns the identifiers of the rules with the status.
func (r *Report) Broken(status Status) (rules []string) {
	for _, result := range r.Results {
		if result.Status == status {
			rules = append(rules, result.Rule)
		}
	}
	return rules
}
