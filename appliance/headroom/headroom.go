package headroom

import (
	"cmp"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// A session in its handshakes takes up to youngMemory octets, and
	// youngDescriptors file descriptors while it is spliced.
	youngMemory      = 128 << 10
	youngDescriptors = 6
	// openMemory is by how many octets an open session may grow: the small buffers
	// in which it holds what a peer does not read.
	openMemory = 48 << 10
	// young is for how long a session counts in advance.
	young = 500 * time.Millisecond
	slots = 10 // of which young consists

	// Of a limit, in percent: what the Go runtime aims to stay within, where new
	// sessions are shed, and where not even a tunnel is begun.
	goal, shed, full = 65, 75, 85

	// Of the octets between nothing and goal, the part that large buffers may take:
	// sessions may have come up to shed without any, and all want theirs then.
	bufferShare = 6

	// The floor of the heap: from which limit on, which part of that, and the most.
	floorFrom, floorShare, mostFloor = 512 << 20, 8, 128 << 20
)

// Level is how much is left.
type Level uint8

const (
	Ample Level = iota
	Short       // no session is to be begun that takes what a decrypted one takes
	None        // none at all
)

// Config says what is to be kept to.
type Config struct {
	// Memory is what the process may take, in octets; 0: what its control group
	// and the machine have.
	Memory uint64
	// Open returns how many sessions are open; nil: none ever are.
	Open func() int
}

// Headroom answers whether there is room for a session. It is safe for
// concurrent use.
type Headroom struct {
	gauges []*gauge
	open   func() int

	began [slots]atomic.Int64 // sessions, by the time they began
	slot  atomic.Int64        // the present one, counted from the start
	start time.Time

	mu    sync.Mutex // guards what follows
	seen  time.Time  // of the last measurement
	level Level      // by memory, at that time
	why   string
}

// gauge is one limit of memory and what is used of it, both in octets.
type gauge struct {
	name  string
	limit uint64
	used  func() (uint64, error)
	last  atomic.Uint64
}

// New finds out what limits there are. The error says what could not be read.
func New(cfg Config) (*Headroom, error) {
	h := &Headroom{start: time.Now(), open: cfg.Open}
	if cfg.Memory > 0 {
		h.gauges = append(h.gauges, &gauge{name: "process", limit: cfg.Memory, used: processMemory})
	}
	if group, err := controlGroup(); err != nil {
		return nil, fmt.Errorf("find memory limit of control group: %w", err)
	} else if group != nil {
		h.gauges = append(h.gauges, group)
	}
	total, err := machineMemory()
	if err != nil {
		return nil, fmt.Errorf("find memory of machine: %w", err)
	}
	h.gauges = append(h.gauges, &gauge{name: "machine", limit: total, used: func() (uint64, error) {
		available, err := availableMemory()
		return total - min(total, available), err
	}})
	return h, nil
}

// Limit returns the smallest limit of memory, in octets, and whose it is.
func (h *Headroom) Limit() (octets uint64, whose string) {
	for _, g := range h.gauges {
		if octets == 0 || g.limit < octets {
			octets, whose = g.limit, g.name
		}
	}
	return octets, whose
}

// Goal is what the Go runtime should aim to stay within, in octets.
func (h *Headroom) Goal() uint64 {
	limit, _ := h.Limit()
	return limit / 100 * goal
}

// Floor is the heap, in octets, below which collecting garbage gains nothing; 0
// where memory is too short for that.
func (h *Headroom) Floor() uint64 {
	limit, _ := h.Limit()
	if limit < floorFrom {
		return 0
	}
	return min(limit/floorShare, mostFloor)
}

// Buffers is what large buffers may take together, in octets.
func (h *Headroom) Buffers() uint64 { return h.Goal() / bufferShare }

// Used returns what is in use of the limit that is closest to be reached, in
// octets, as last measured.
func (h *Headroom) Used() uint64 {
	var used uint64
	var part float64
	for _, g := range h.gauges {
		if last := g.last.Load(); float64(last)/float64(g.limit) > part {
			used, part = last, float64(last)/float64(g.limit)
		}
	}
	return used
}

// Level returns how much is left, and of what there is not enough.
func (h *Headroom) Level() (level Level, short string) {
	now := time.Now()
	began := h.young(now)
	if level := descriptors(began * youngDescriptors); level > Ample {
		return level, "descriptors"
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if now.Sub(h.seen) >= young/slots {
		h.seen = now
		h.level, h.why = Ample, ""
		for _, g := range h.gauges {
			used, err := g.used()
			if err != nil {
				continue // the other limits hold; the next time it may be readable
			}
			g.last.Store(used)
			h.raise(g)
		}
	}
	level = h.level
	growth := uint64(began) * youngMemory
	if h.open != nil {
		growth += uint64(max(h.open(), 0)) * openMemory
	}
	for _, g := range h.gauges {
		if l := g.level(g.last.Load() + growth); l > level {
			level = l
		}
	}
	return level, cmp.Or(h.why, "memory")
}

// raise notes a limit that is reached. h.mu is held.
func (h *Headroom) raise(g *gauge) {
	if l := g.level(g.last.Load()); l > h.level {
		h.level, h.why = l, "memory"
	}
}

func (g *gauge) level(used uint64) Level {
	switch percent := used / max(1, g.limit/100); {
	case percent >= full:
		return None
	case percent >= shed:
		return Short
	}
	return Ample
}

// Began notes that a session has begun.
func (h *Headroom) Began() {
	h.young(time.Now())
	h.began[h.slot.Load()%slots].Add(1)
}

// young returns how many sessions began a moment ago.
func (h *Headroom) young(now time.Time) (n int64) {
	slot := int64(now.Sub(h.start) / (young / slots))
	for old := h.slot.Load(); old < slot; old = h.slot.Load() {
		if h.slot.CompareAndSwap(old, slot) {
			for s := max(old, slot-slots) + 1; s <= slot; s++ {
				h.began[s%slots].Store(0)
			}
		}
	}
	for i := range h.began {
		n += h.began[i].Load()
	}
	return n
}
