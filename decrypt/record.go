package decrypt

import (
	"errors"
	"time"

	"github.com/clearspan/clearspan/decrypt/internal/leg"
	"github.com/clearspan/clearspan/decrypt/sniff"
)

// open starts the session's stream if there is a tap.
func (s *session) open() {
	if !s.opened && s.engine.cfg.Tap != nil {
		s.opened = true
		s.stream = s.engine.cfg.Tap.Open(s.account)
		if greeting := s.in.Greeting; len(greeting) > 0 {
			_ = s.relayed(s.sessionDir(OriginToClient), Plain, greeting) // nothing has failed before the first octet
		}
	}
}

// relayed counts p and hands it to the tap; it is about to be relayed. Once the
// session has failed it does neither and returns errAborted: nobody gets p any more,
// and in the recording nothing stands behind a reset.
func (s *session) relayed(dir Direction, content Content, p []byte) error {
	s.order[dir].Lock()
	defer s.order[dir].Unlock()
	if s.failed.Load() {
		return errAborted
	}
	s.show(dir, content, p)
	return nil
}

// show counts p and hands it to the tap.
func (s *session) show(dir Direction, content Content, p []byte) {
	s.count(dir, p)
	if s.stream != nil {
		s.stream.Data(s.sessionDir(dir), content, p)
	}
}

// count counts p, and looks for what it announces.
func (s *session) count(dir Direction, p []byte) {
	s.account.octets[s.sessionDir(dir)].Add(uint64(len(p)))
	if s.progress.Add(int64(len(p))) == int64(len(p)) && dir == OriginToClient && s.originTLS != nil {
		if proto, _ := sniff.Origin(p); proto == sniff.FTP { // behind TLS from the first octet
			s.watch(true)
		}
	}
	if c := s.control.Load(); c != nil {
		s.announce(c, dir, p)
	}
}

// relayedParts is relayed for octets of several kinds.
func (s *session) relayedParts(dir Direction, parts []Part, p []byte) error {
	s.order[dir].Lock()
	defer s.order[dir].Unlock()
	if s.failed.Load() {
		return errAborted
	}
	if a, ok := s.stream.(Assembler); ok && len(parts) > 1 {
		s.count(dir, p)
		a.Assemble(s.sessionDir(dir), parts, p)
		return nil
	}
	for _, part := range parts {
		s.show(dir, part.Content, p[:part.N])
		p = p[part.N:]
	}
	return nil
}

// ended notes, and tells the tap, that a direction ended in order.
func (s *session) ended(dir Direction) {
	if dir == ClientToOrigin && s.clientTLS != nil && s.account.Octets(dir) == s.said && !s.finished[OriginToClient].Load() {
		s.closedSilently = time.Since(s.shaken) < silentClose
	}
	s.setFinished(dir)
	if s.stream != nil {
		s.stream.End(s.sessionDir(dir), Finished)
	}
}

// broken gives the failure for a leg that broke: the source leg of direction
// dir. The tap learns it at once, so that the reset stands where it happened. What
// breaks first is why the session ends; what breaks behind it gets errAborted.
func (s *session) broken(dir Direction, err error) error {
	var f *failure
	if errors.As(err, &f) {
		return err
	}
	for i := range s.order {
		s.order[i].Lock()
		defer s.order[i].Unlock()
	}
	if s.setFailed() {
		return errAborted
	}
	if s.stream != nil {
		s.stream.End(s.sessionDir(dir), Reset)
	}
	switch {
	case leg.IsTimeout(err):
		return fail(reasonIdle, err, 0)
	case s.sessionDir(dir) == ClientToOrigin:
		return fail(reasonClientReset, err, 0)
	}
	return fail(reasonOriginReset, err, 0)
}
