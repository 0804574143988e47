package flow

import "time"

// setBack is by how much times go back if a clock was set, or another capture begins. Frames of
// several rings or files differ by less.
const setBack = time.Minute

// Clock tells how long sessions are silent, by the times of frames. What has passed counts on if
// the clock that made these is set back. The zero value is ready.
type Clock struct {
	now     time.Time // of the newest frame
	elapsed int64     // milliseconds since the first one
}

// Tick notes the time of a frame, and returns whether time has passed. It counts no more than
// longest at once, whatever the clock was set to.
func (c *Clock) Tick(at time.Time, longest time.Duration) bool {
	d := at.Sub(c.now)
	switch {
	case at.IsZero():
		return false
	case c.now.IsZero() || d < -setBack:
		c.now = at
		return false
	case d < time.Millisecond:
		return false
	case d > longest:
		d, c.now = longest, at
	default:
		d = d.Truncate(time.Millisecond)
		c.now = c.now.Add(d)
	}
	c.elapsed += d.Milliseconds()
	return true
}

// Elapsed returns the milliseconds that have passed since the first frame.
func (c *Clock) Elapsed() int64 { return c.elapsed }
