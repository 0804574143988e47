package export

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/clearspan/clearspan/appliance/trail"
)

// rewind has the reader go back to what the receiver has.
func (s *sender) rewind() {
	s.reader.Seek(s.ack)
	s.marks.clear()
	s.note(s.ack)
}

func (s *sender) note(at trail.Position) {
	s.mu.Lock()
	s.at = at
	s.mu.Unlock()
}

// connected opens a link, and sends on it until that breaks or ctx ends.
func (s *sender) connected(ctx context.Context) error {
	l, err := open(ctx, s)
	if err != nil {
		return err
	}
	s.fault(nil)
	interrupt := context.AfterFunc(ctx, func() { l.interrupt(finalWait / 2) })
	err = s.send(ctx, l)
	interrupt()
	if ctx.Err() != nil { // another process or a later one goes on here
		s.settle(l)
	}
	s.acknowledge(l)
	l.close(s.marks.len() == 0)
	return err
}

// settle waits a moment for what was sent to be acknowledged: it is not sent again then.
func (s *sender) settle(l link) {
	for end := time.Now().Add(finalWait / 2); s.marks.len() > 0 && time.Now().Before(end); time.Sleep(10 * minPoll) {
		s.acknowledge(l)
	}
}

// send sends what there is, and what comes.
func (s *sender) send(ctx context.Context, l link) error {
	poll := minPoll
	for ctx.Err() == nil {
		n, err := s.fill(l)
		if err != nil && err != io.EOF {
			return err
		}
		if s.acknowledge(l) || n > 0 {
			poll = minPoll
		}
		if n > 0 && err == nil && s.marks.len() < maxAhead {
			select { // nothing has to be waited for
			case <-l.broken():
				return l.err()
			default:
				continue
			}
		}
		d := idlePoll
		if s.marks.len() > 0 {
			d, poll = poll, min(2*poll, maxPoll)
		} else if err == io.EOF {
			s.told()
		}
		s.wait(ctx, l.broken(), d)
		select {
		case <-l.broken():
			return l.err()
		default:
		}
	}
	return nil
}

// fill sends some entries, and returns how many it has read. io.EOF: there are no more.
func (s *sender) fill(l link) (n int, err error) {
	for n < batch && s.marks.len() < maxAhead {
		line, err := s.next()
		if err != nil {
			return n, s.flush(l, err)
		}
		n++
		m := mark{at: s.reader.Position(), time: timeOf(line)}
		message, wanted, err := s.encoder.encode(line, s.query)
		switch {
		case err != nil: // no entry of ours
			s.log.Debug("line of the audit log is passed over", "err", err)
		case wanted:
			m.counts = true
			if err := l.add(message); errors.Is(err, errTooLong) {
				m.counts = false
				s.lost.Add(1)
			} else if err != nil {
				return n, err
			}
		}
		m.end = l.end()
		s.marks.push(m)
	}
	return n, s.flush(l, nil)
}

// flush sends what the link holds, and notes how far was read. The error is that of the
// link, else err.
func (s *sender) flush(l link, err error) error {
	s.note(s.reader.Position())
	if broken := l.flush(); broken != nil {
		return broken
	}
	return err
}

// acknowledge moves the cursor to what the receiver has, and reports whether that is more
// than before.
func (s *sender) acknowledge(l link) bool {
	have := l.acknowledged()
	written := uint64(0)
	for s.marks.len() > 0 && s.marks.first().end <= have {
		m := s.marks.pop()
		s.ack = m.at
		if m.counts {
			written++
		}
	}
	s.written.Add(written)
	if s.marks.len() > 0 {
		s.oldest.Store(s.marks.first().time)
	} else {
		s.oldest.Store(0)
	}
	if s.ack == s.stored {
		return false
	}
	if err := s.cursor.store(s.ack); err != nil {
		s.log.Error("cursor of an audit output cannot be written", "err", err)
	}
	s.stored = s.ack
	return true
}
