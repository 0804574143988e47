package relay

import (
	"io"
	"sync"
	"sync/atomic"
)

// inspected is what the client's end has for an [Inspector].
type inspected struct {
	rest  []byte // of what goes on; for the reader
	last  bool   // nothing is read behind rest
	poked bool   // in Await

	writing sync.Mutex
	closed  atomic.Bool // the client got the last
}

// inspects reports whether what passes this end is inspected.
func (e *LegEnd) inspects() bool { return e.recorded && e.relay.Inspector != nil }

// readInspected is Read for the client's end. Behind the last octets that go on, it waits
// until the client got its answers.
func (e *LegEnd) readInspected(p []byte) (n int, err error) {
	for {
		if len(e.rest) > 0 {
			n = copy(p, e.rest)
			e.rest = e.rest[n:]
			return n, nil
		}
		if e.last {
			if !e.relay.awaitFinish(e.dir.Opposite(), e.relay.Idle) {
				return 0, ErrAborted
			}
			return 0, io.EOF
		}
		if e.poked {
			n, e.poked = 0, false
		} else if n, err = e.flight(p); err == io.EOF && !e.relay.turned.Load() {
			if e.rest = e.relay.held(e.dir); len(e.rest) > 0 {
				continue
			}
		}
		if err != nil {
			return 0, err
		}
		if n, err = e.inspect(p, n); n > 0 || err != nil {
			return n, err
		}
	}
}

// inspect has n octets inspected that were read into p. What goes on of them is left there,
// as far as it is there, and the rest kept.
func (e *LegEnd) inspect(p []byte, n int) (int, error) {
	pass, last, err := e.relay.inspected(e.dir, p[:n])
	e.last = last
	if err == nil {
		err = e.deliver()
	}
	switch {
	case err != nil:
		e.ending = err
		return 0, err
	case len(pass) == 0:
		return 0, nil
	case &pass[0] == &p[0]:
		return len(pass), nil
	}
	n = copy(p, pass)
	e.rest = pass[n:]
	return n, nil
}

// writeInspected is Write for the client's end. Behind the last that the client gets, octets
// are dropped.
func (e *LegEnd) writeInspected(p []byte) (int, error) {
	e.writing.Lock()
	err := e.say(p)
	e.writing.Unlock()
	if err == nil {
		err = e.deliver()
	}
	if err != nil {
		return 0, err
	}
	return len(p), nil
}

// deliver says what is due to the client, unless somebody is writing to it: who does sees to
// it then.
func (e *LegEnd) deliver() error {
	for e.relay.Inspector.Due() && e.writing.TryLock() {
		err := e.say(nil)
		e.writing.Unlock()
		if err != nil {
			return err
		}
	}
	return nil
}

// say writes to the client what goes on of p. The caller holds writing.
func (e *LegEnd) say(p []byte) error {
	if e.closed.Load() {
		return nil
	}
	pass, last, err := e.relay.inspected(e.dir.Opposite(), p)
	if err != nil {
		return err
	}
	if len(pass) > 0 {
		if _, err = write(e.text, pass); err == nil {
			err = e.leg.Flush()
		}
		if err != nil {
			return e.broken(err)
		}
	}
	if last {
		err = e.CloseWrite()
		e.closed.Store(true)
	}
	return err
}
