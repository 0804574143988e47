package mirror

// maxReasons bounds the distinct reasons that a conversation keeps; later ones
// are counted as "other".
const maxReasons = 16

// counters counts octets and frames for one conversation.
type counters struct {
	frames, framesLost uint64
	octets             [2]uint64
	losses             []loss // few: a slice is smaller than a map
	onLoss             func(dir Direction, n uint64, reason string)
	onDelivery         func(frames, octets uint64)
}

type loss struct {
	reason string
	octets [2]uint64
}

// lose counts n octets as lost. It allocates when a reason is new.
func (c *counters) lose(dir Direction, n uint64, reason string) {
	if n == 0 {
		return
	}
	if reason == "" || len(c.losses) >= maxReasons && c.find(reason) == nil {
		reason = LossReason(nil)
	}
	entry := c.find(reason)
	if entry == nil {
		c.losses = append(c.losses, loss{reason: reason})
		entry = &c.losses[len(c.losses)-1]
	}
	entry.octets[dir] += n
	if c.onLoss != nil {
		c.onLoss(dir, n, reason)
	}
}

// delivered tells what was delivered since there were that many frames and octets.
func (c *counters) delivered(frames, octets uint64) {
	if n := c.frames - frames; n > 0 && c.onDelivery != nil {
		c.onDelivery(n, c.octets[0]+c.octets[1]-octets)
	}
}

func (c *counters) find(reason string) *loss {
	for i := range c.losses {
		if c.losses[i].reason == reason {
			return &c.losses[i]
		}
	}
	return nil
}

func (c *counters) account() Account {
	a := Account{Frames: c.frames, FramesLost: c.framesLost, Octets: c.octets}
	if len(c.losses) > 0 {
		a.Lost = make(map[string][2]uint64, len(c.losses))
		for _, entry := range c.losses {
			a.Lost[entry.reason] = entry.octets
		}
	}
	return a
}
