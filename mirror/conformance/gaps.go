package conformance

// gap is a run of octets that a direction skipped.
type gap struct {
	from, to uint32
	at       moment // the frame behind it
}

// gaps are those of a direction that may still be filled, in no order.
type gaps struct {
	list [maxGaps]gap
	n    int
}

const maxGaps = 6

// add takes a gap. If there are too many, it returns the first one, which is
// given up as lost.
func (s *gaps) add(next gap) (lost gap, overflow bool) {
	if s.n == maxGaps {
		lost, overflow = s.list[0], true
		s.remove(0)
	}
	s.list[s.n] = next
	s.n++
	return lost, overflow
}

func (s *gaps) remove(i int) {
	copy(s.list[i:s.n-1], s.list[i+1:s.n])
	s.n--
}

// fill takes octets from up to to out of the gaps and returns how many of them
// were missing. What remains of a gap in front and behind stays; if there is no
// room for a second rest it is returned as lost.
func (s *gaps) fill(from, to uint32) (filled uint32, lost gap, overflow bool) {
	for i := 0; i < s.n; i++ {
		g := s.list[i]
		start, end := maxSeq(g.from, from), minSeq(g.to, to)
		if !seqBefore(start, end) {
			continue
		}
		filled += end - start
		s.remove(i)
		i--
		for _, rest := range [2]gap{{g.from, start, g.at}, {end, g.to, g.at}} {
			if !seqBefore(rest.from, rest.to) {
				continue
			}
			if out, full := s.add(rest); full {
				lost, overflow = out, true
			}
		}
		if overflow {
			break // one is all that can be told; the rest stays as gaps
		}
	}
	return filled, lost, overflow
}

func maxSeq(a, b uint32) uint32 {
	if seqBefore(a, b) {
		return b
	}
	return a
}

func minSeq(a, b uint32) uint32 {
	if seqBefore(a, b) {
		return a
	}
	return b
}
