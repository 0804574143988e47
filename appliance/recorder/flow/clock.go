package flow

import "time"

// setBack is by how much times go back if a clock was set, or another capture begins. Frames of
// several rings or files differ by less.
const setBack = time.Minute

// tick notes the time of a frame. What has passed since the first one counts on if the clock is
// set back: sessions are silent for no less long then.
func (t *Table) tick(at time.Time) {
	d := at.Sub(t.now)
	switch {
	case at.IsZero():
	case t.now.IsZero() || d < -setBack:
		t.now = at
	case d >= time.Millisecond:
		longest := max(t.cfg.Idle, idleUDP, lingering) + time.Second
		if d > longest {
			d, t.now = longest, at
		} else {
			d = d.Truncate(time.Millisecond)
			t.now = t.now.Add(d)
		}
		t.elapsed += d.Milliseconds()
		t.expire()
	}
}
