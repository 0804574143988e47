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

// drops tells of dropped frames: of each cause once in reportEvery, and of what is left
// at the end. The sum of what it tells is what the programs counted. It is not safe for
// concurrent use.
type drops struct {
	tell   func(Drops) // may be nil
	causes map[string]*dropCause
	since  time.Time // when the programs began to count
}

// dropCause is what was told of a cause.
type dropCause struct {
	frames uint64
	at     time.Time // of the last word; zero: there was none
	clean  time.Time // when all that was counted had been told
}

// look takes in the counters of a moment. The last look tells all.
func (d *drops) look(now time.Time, counts map[string]uint64, last bool) {
	if d.tell == nil {
		return
	}
	for _, word := range slices.Sorted(maps.Keys(counts)) {
		if !strings.HasSuffix(word, droppedSuffix) {
			continue
		}
		c, n := d.causes[word], counts[word]
		if c == nil {
			c = &dropCause{clean: d.since}
			d.causes[word] = c
		}
		if n <= c.frames {
			c.clean = now
			continue
		}
		if !last && !c.at.IsZero() && now.Sub(c.at) < reportEvery {
			continue
		}
		d.tell(Drops{Cause: word, Frames: n - c.frames, Since: c.clean, Until: now})
		c.frames, c.at, c.clean = n, now, now
	}
}
