package wire

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// Drops are frames of selected connections that a wire has dropped for one cause,
// because it could not judge them.
type Drops struct {
	Cause        string // a word of [Status.Paths] that ends in "-dropped"
	Frames       uint64 // at least one
	Since, Until time.Time
}

// dropReporter tells of dropped frames: of each cause once in reportEvery, and of what is
// left at the end. The sum of what it tells is what the programs counted. It is not safe
// for concurrent use.
type dropReporter struct {
	report func(Drops) // may be nil
	causes map[string]*dropCause
	since  time.Time // when the programs began to count
}

// dropCause is what was told of a cause.
type dropCause struct {
	reportedFrames uint64
	reported       time.Time // of the last word; zero: there was none
	allReported    time.Time // when all that was counted had been told
}

// update takes in the counters of a moment. With last, all that is left is reported.
func (d *dropReporter) update(now time.Time, counts map[string]uint64, last bool) {
	if d.report == nil {
		return
	}
	for _, word := range slices.Sorted(maps.Keys(counts)) {
		if !strings.HasSuffix(word, droppedSuffix) {
			continue
		}
		c, n := d.causes[word], counts[word]
		if c == nil {
			c = &dropCause{allReported: d.since}
			d.causes[word] = c
		}
		if n <= c.reportedFrames {
			c.allReported = now
			continue
		}
		if !last && !c.reported.IsZero() && now.Sub(c.reported) < reportEvery {
			continue
		}
		d.report(Drops{Cause: word, Frames: n - c.reportedFrames, Since: c.allReported, Until: now})
		c.reportedFrames, c.reported, c.allReported = n, now, now
	}
}
