package config

// Limits bound what the appliance takes from its machine.
type Limits struct {
	// Sessions is how many sessions may be open at once. Default 100000.
	Sessions int
	// Memory is what the process may take, in octets. Default 0: what its control
	// group and the machine have.
	Memory uint64
	// Pending is how many sessions a client address may have that have not begun: its
	// handshake is not complete, or nothing was said. Default 0: no limit.
	Pending int
	// Overload is what happens to sessions for which there is no room. Default
	// refuse.
	Overload Overload
}

// Overload is what happens to sessions for which there is no memory, or no file
// descriptors.
type Overload string

const (
	RefuseOverload Overload = "refuse" // their connections are reset
	TunnelOverload Overload = "tunnel" // those that would be decrypted are tunneled, as long as there is room for that
)

func (r *reader) limits(n *node) (l Limits) {
	t := r.table(n, "limits")
	l.Memory = value(t, "memory", 0, parseSize)
	if l.Memory > 0 && l.Memory < 64<<20 {
		r.fail(t.place("memory"), "memory: want at least 64MiB, or 0 for the limits of the machine")
	}
	t.fill("limits", "", &l)
	t.close()
	return l
}
