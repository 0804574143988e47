package pcapng

import "maps"

// Stats is what a sink did since it was opened. Frames plus frames lost is the
// number of frames offered to Send.
type Stats struct {
	Frames uint64            // frames in files or on the way there
	Octets uint64            // octets in them, without FCS
	Lost   map[string]uint64 // frames lost, by the word of mirror.LossReason; no zero entries
	Failed bool              // the storage fails at present

	SecretsLost uint64 // calls of Secrets that failed
	Queued      uint64 // octets of frames that wait for the disk
}

// Stats returns the totals so far. It may be called after Close; then every
// frame in it is in a file.
func (s *Sink) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.stats
	st.Lost = maps.Clone(st.Lost)
	st.Failed = s.failed
	for _, b := range s.pending {
		st.Queued += b.octets // blocks are the writer's
	}
	if s.current != nil {
		st.Queued += s.current.octets
	}
	return st
}
