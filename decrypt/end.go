package decrypt

import (
	"errors"
	"time"
)

// end notes how the session ended, by err or in order, and closes what is open.
func (s *session) end(err error) {
	s.begun()
	var f *failure
	var p *Panic
	switch {
	case err == nil:
	case errors.As(err, &f):
		s.account.Reason, s.account.Err = f.reason, f.err
		if f.alert != 0 {
			s.client.SetWriteDeadline(time.Now().Add(time.Second))
			s.client.Conn().Write(f.alert.Record()) // the leg is closed next, whatever comes of it
		}
	case errors.As(err, &p):
		s.account.Reason, s.account.Err = reasonPanic, err
	default:
		s.account.Reason, s.account.Err = reasonMalformed, err
	}
	s.mu.Lock()
	if s.canceled != "" {
		s.account.Reason, s.account.Err = s.canceled, nil
	}
	origin := s.origin
	s.mu.Unlock()

	if s.stream != nil {
		if err != nil {
			s.stream.End(ClientToOrigin, Reset)
		}
		s.stream.Close()
	}
	if err == nil || f != nil && (f.alert != 0 || f.told) {
		s.client.Finish()
	} else {
		s.client.Abort()
	}
	s.client.Recycle()
	if origin != nil {
		if err == nil {
			origin.Finish()
		} else {
			origin.Abort()
		}
		origin.Recycle()
	}
}
