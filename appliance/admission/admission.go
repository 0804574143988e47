package admission

import (
	"cmp"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// A session in its handshakes takes up to handshakeMemory octets, and
	// handshakeDescriptors file descriptors while it is spliced.
	handshakeMemory      = 128 << 10
	handshakeDescriptors = 6
	// sessionGrowth is by how many octets an open session may grow: the small buffers
	// in which it holds what a peer does not read.
	sessionGrowth = 48 << 10
	// recentFor is for how long a session counts in advance.
	recentFor = 500 * time.Millisecond
	slots     = 10 // of which recentFor consists

	// Of a limit, in percent: what the Go runtime aims to stay within, where new
	// sessions are shed, and where not even a tunnel is begun.
	goalPercent, shedPercent, fullPercent = 65, 75, 85

	// Of the octets between nothing and goalPercent, the part that large buffers may take:
	// sessions may have come up to shedPercent without any, and all need theirs then.
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

// Options are what operators choose.
type Options struct {
	// Memory is what the process may take, in octets; 0: what its control group
	// and the machine have.
	Memory uint64
	// Overload is what happens to sessions for which there is no room; "": Refuse.
	Overload Overload
}

// Overload is what happens to sessions for which there is no memory, or no file
// descriptors.
type Overload string

const (
	Refuse Overload = "refuse" // their connections are reset
	Tunnel Overload = "tunnel" // those that would be decrypted are tunneled, as long as there is room for that
)

// Config says what is to be kept to.
type Config struct {
	Options
	// Open returns how many sessions are open; nil: none ever are.
	Open func() int
}

// Controller answers whether there is room for a session. It is safe for
// concurrent use.
type Controller struct {
	gauges []*gauge
	others uint64 // octets of a control group that other processes used at the start
	open   func() int

	admitted [slots]atomic.Int64 // sessions, by the time they began
	slot     atomic.Int64        // the present one, counted from the start
	start    time.Time

	mu       sync.Mutex // guards what follows
	measured time.Time  // of the last measurement
	level    Level      // by memory, at that time
	short    string
}

// gauge is one limit of memory and what is used of it, both in octets.
type gauge struct {
	name  string
	limit uint64
	used  func() (uint64, error)
	last  atomic.Uint64
}

// New finds out what limits there are. The error says what could not be read.
func New(cfg Config) (*Controller, error) {
	c := &Controller{start: time.Now(), open: cfg.Open}
	if cfg.Memory > 0 {
		c.gauges = append(c.gauges, &gauge{name: "process", limit: cfg.Memory, used: processMemory})
	}
	if group, err := controlGroup(); err != nil {
		return nil, fmt.Errorf("find memory limit of control group: %w", err)
	} else if group != nil {
		c.gauges = append(c.gauges, group)
		c.others = othersIn(group)
	}
	total, err := machineMemory()
	if err != nil {
		return nil, fmt.Errorf("find memory of machine: %w", err)
	}
	c.gauges = append(c.gauges, &gauge{name: "machine", limit: total, used: func() (uint64, error) {
		available, err := availableMemory()
		return total - min(total, available), err
	}})
	return c, nil
}

// Limit returns the smallest limit of memory, in octets, and whose it is.
func (c *Controller) Limit() (octets uint64, whose string) {
	for _, g := range c.gauges {
		if octets == 0 || g.limit < octets {
			octets, whose = g.limit, g.name
		}
	}
	return octets, whose
}

// Goal is what the Go runtime should aim to stay within, in octets.
func (c *Controller) Goal() uint64 {
	limit, _ := c.Limit()
	return (limit - min(c.others, limit/4)) / 100 * goalPercent
}

// othersIn returns what other processes use of a limit now, such as the keeper.
func othersIn(g *gauge) uint64 {
	all, err := g.used()
	if err != nil {
		return 0
	}
	own, err := processMemory()
	if err != nil {
		return 0
	}
	return all - min(all, own)
}

// Floor is the heap, in octets, below which collecting garbage gains nothing; 0
// where memory is too short for that.
func (c *Controller) Floor() uint64 {
	limit, _ := c.Limit()
	if limit < floorFrom {
		return 0
	}
	return min(limit/floorShare, mostFloor)
}

// Buffers is what large buffers may take together, in octets.
func (c *Controller) Buffers() uint64 { return c.Goal() / bufferShare }

// Used returns what is in use of the limit that is closest to be reached, in
// octets, as measured not long ago.
func (c *Controller) Used() uint64 {
	c.Level() // measures, if the last time was long ago
	var used uint64
	var part float64
	for _, g := range c.gauges {
		if last := g.last.Load(); float64(last)/float64(g.limit) > part {
			used, part = last, float64(last)/float64(g.limit)
		}
	}
	return used
}

// Level returns how much is left, and of what there is not enough.
func (c *Controller) Level() (level Level, short string) {
	now := time.Now()
	recent := c.recent(now)
	if level := descriptors(recent * handshakeDescriptors); level > Ample {
		return level, "descriptors"
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if now.Sub(c.measured) >= recentFor/slots {
		c.measured = now
		c.level, c.short = Ample, ""
		for _, g := range c.gauges {
			used, err := g.used()
			if err != nil {
				continue // the other limits hold; the next time it may be readable
			}
			g.last.Store(used)
			c.note(g)
		}
	}
	level = c.level
	growth := uint64(recent) * handshakeMemory
	if c.open != nil {
		growth += uint64(max(c.open(), 0)) * sessionGrowth
	}
	for _, g := range c.gauges {
		if l := g.level(g.last.Load() + growth); l > level {
			level = l
		}
	}
	return level, cmp.Or(c.short, "memory")
}

// note notes a limit that is reached. c.mu is held.
func (c *Controller) note(g *gauge) {
	if l := g.level(g.last.Load()); l > c.level {
		c.level, c.short = l, "memory"
	}
}

func (g *gauge) level(used uint64) Level {
	switch percent := used / max(1, g.limit/100); {
	case percent >= fullPercent:
		return None
	case percent >= shedPercent:
		return Short
	}
	return Ample
}

// Admit notes that a session has begun.
func (c *Controller) Admit() {
	c.recent(time.Now())
	c.admitted[c.slot.Load()%slots].Add(1)
}

// recent returns how many sessions began within the last recentFor.
func (c *Controller) recent(now time.Time) (n int64) {
	slot := int64(now.Sub(c.start) / (recentFor / slots))
	for old := c.slot.Load(); old < slot; old = c.slot.Load() {
		if c.slot.CompareAndSwap(old, slot) {
			for s := max(old, slot-slots) + 1; s <= slot; s++ {
				c.admitted[s%slots].Store(0)
			}
		}
	}
	for i := range c.admitted {
		n += c.admitted[i].Load()
	}
	return n
}
