package mirrortest

import (
	"time"

	"github.com/clearspan/clearspan/mirror/conformance"
)

// largestMTU is that of an IP packet, since frames are judged for every MTU.
const largestMTU = 1 << 16

// Conform judges frames by the rules that any feed must keep, a microsecond
// apart.
func Conform(frames [][]byte) *conformance.Report {
	c := conformance.New(conformance.Options{MTU: largestMTU})
	at := time.Unix(0, 0)
	for _, frame := range frames {
		at = at.Add(time.Microsecond)
		c.Add(frame, 0, at)
	}
	return c.Report()
}

// nonconforming returns a finding for each defect that Conform finds, gaps left
// out: an Analyzer measures these.
func nonconforming(frames [][]byte) (findings []Finding) {
	if len(frames) == 0 {
		return nil
	}
	for _, result := range Conform(frames).Results {
		if result.Status == conformance.Fail && result.Rule != conformance.Gap.String() {
			first := result.First[0]
			findings = append(findings, Finding{int(first.Frame), Nonconforming, result.Rule + ": " + first.Text})
		}
	}
	return findings
}
