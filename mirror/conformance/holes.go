package conformance

// hole is a run of octets that a direction skipped.
type hole struct {
	from, to uint32
	at       moment // the frame behind it
}

// holes are those of a direction that may still be filled, in no order.
type holes struct {
	list [maxHoles]hole
	n    int
}

const maxHoles = 6

// add takes a hole. If there are too many, it returns the first one, which is
// given up as lost.
func (h *holes) add(next hole) (lost hole, overflow bool) {
	if h.n == maxHoles {
		lost, overflow = h.list[0], true
		h.cutOut(0)
	}
	h.list[h.n] = next
	h.n++
	return lost, overflow
}

func (h *holes) cutOut(i int) {
	copy(h.list[i:h.n-1], h.list[i+1:h.n])
	h.n--
}

// fill takes octets from up to to out of the holes and returns how many of them
// were missing. What remains of a hole in front and behind stays; if there is no
// room for a second rest it is returned as lost.
func (h *holes) fill(from, to uint32) (filled uint32, lost hole, overflow bool) {
	for i := 0; i < h.n; i++ {
		g := h.list[i]
		start, end := later(g.from, from), earlier(g.to, to)
		if !before(start, end) {
			continue
		}
		filled += end - start
		h.cutOut(i)
		i--
		for _, rest := range [2]hole{{g.from, start, g.at}, {end, g.to, g.at}} {
			if !before(rest.from, rest.to) {
				continue
			}
			if out, full := h.add(rest); full {
				lost, overflow = out, true
			}
		}
		if overflow {
			break // one is all that can be told; the rest stays as holes
		}
	}
	return filled, lost, overflow
}

func later(a, b uint32) uint32 {
	if before(a, b) {
		return b
	}
	return a
}

func earlier(a, b uint32) uint32 {
	if before(a, b) {
		return a
	}
	return b
}
