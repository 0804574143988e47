package retain

import (
	"math"
	"time"
)

// Class is what is kept by one bound.
type Class string

// Classes. Received, Sent and Mail are of objects.
const (
	Packets  Class = "packets"
	Received Class = "received" // by clients
	Sent     Class = "sent"     // by clients
	Mail     Class = "mail"     // messages and what is in them, whichever way they went
	Trail    Class = "trail"
)

// Limit bounds a class. Zero is no bound.
type Limit struct {
	Age  time.Duration
	Size int64 // octets on the disk
}

// Policy bounds all classes. Objects never outlive the trail: nobody would find them.
type Policy struct {
	Packets, Received, Sent, Mail, Trail Limit
	// Reserve is how many octets of the disk stay free, see [LevelOf]; 0: a fiftieth of the
	// disk, at most 4 GiB.
	Reserve int64
}

// Of returns the bound of a class.
func (p *Policy) Of(c Class) Limit {
	switch c {
	case Packets:
		return p.Packets
	case Received:
		return p.Received
	case Sent:
		return p.Sent
	case Mail:
		return p.Mail
	}
	return p.Trail
}

// Before returns the time before which a class is too old; the zero time if it has no bound
// by age.
func (l Limit) Before(now time.Time) time.Time {
	if l.Age <= 0 {
		return time.Time{}
	}
	return now.Add(-l.Age)
}

// Level is what a disk that runs full stops.
type Level int

// Levels. Each stops what those before it stop, too.
const (
	Free         Level = iota
	NoReceived         // octets of what clients receive are not kept any more: the hash is
	NoSent             // nor those of what they send
	NoPackets          // packets are refused, and counted
	NoTrail            // the analysis waits
	lastLevel    = NoTrail
	defaultShare = 50
	maxReserve   = 4 << 30
)

// String says what is stopped.
func (l Level) String() string {
	return [...]string{"nothing", "contents that are received", "contents", "contents and packets", "contents, packets and trail"}[min(max(l, Free), lastLevel)]
}

// ReserveOf returns how many octets of a disk stay free.
func (p *Policy) ReserveOf(all int64) int64 {
	if p.Reserve > 0 {
		return p.Reserve
	}
	return min(all/defaultShare, maxReserve)
}

// LevelOf returns the level of a disk with so many free octets of all. The first is reached
// when less than the reserve is free, the next ones at half, a quarter and an eighth of it. A
// level ends when a tenth more is free than where it began.
func (p *Policy) LevelOf(free, all int64, was Level) Level {
	reserve := p.ReserveOf(all)
	level := Free
	for l := NoReceived; l <= lastLevel; l++ {
		mark := reserve >> (l - NoReceived)
		if was >= l {
			mark += mark / 10
		}
		if free < mark {
			level = l
		}
	}
	return level
}

// Growth is how a class grows.
type Growth struct {
	Size  int64   // octets now
	Rate  float64 // octets that come in a second
	Limit Limit
}

// room returns how many octets a class still takes until its bound holds it.
func (g Growth) room() float64 {
	room := math.Inf(1)
	if g.Limit.Size > 0 {
		room = min(room, float64(g.Limit.Size))
	}
	if g.Limit.Age > 0 {
		room = min(room, g.Rate*g.Limit.Age.Seconds())
	}
	return max(room-float64(g.Size), 0)
}

// maxDays bounds what [Days] counts.
const maxDays = 36_500

// Days returns for how many days free octets are enough, if classes grow as they do until
// their bounds hold them. It returns false if they are enough for good, or for a century.
func Days(free int64, classes []Growth) (float64, bool) {
	taken := func(days float64) (octets float64) {
		for _, g := range classes {
			octets += min(g.Rate*days*86400, g.room())
		}
		return octets
	}
	if taken(maxDays) <= float64(free) {
		return 0, false
	}
	low, high := 0.0, float64(maxDays)
	for range 60 {
		if mid := (low + high) / 2; taken(mid) <= float64(free) {
			low = mid
		} else {
			high = mid
		}
	}
	return low, true
}
