package admission

import "github.com/clearspan/clearspan/decrypt/policy"

// overload is the name in the rule's place in decisions that want of room made.
const overload = "overload"

// ShedPolicy is a rule table that tunnels what would be decrypted while there is no room
// for that.
type ShedPolicy struct {
	*policy.Table
	Level func() (level Level, short string)
}

// Decide implements decrypt.Policy.
func (p ShedPolicy) Decide(f *policy.Facts) policy.Decision {
	d := p.Table.Decide(f)
	if d.Action != policy.Bump || d.Pending || f.Request != nil { // it is asked again, or has begun
		return d
	}
	if level, _ := p.Level(); level == Ample {
		return d
	}
	d.Rule, d.Action = overload, policy.Tunnel
	return d
}

// Take counts a session that begins. It is refused if there is no room for it, or only
// for a tunnel and o does not shed; short then names what is short.
func (c *Controller) Take(o Overload) (short string, ok bool) {
	level, short := c.Level()
	if level == None || level == Short && o != Tunnel {
		return short, false
	}
	c.Admit()
	return "", true
}
