package leg

import (
	"errors"
	"time"
)

// Write implements net.Conn for crypto/tls. In a relay it collects.
func (l *Leg) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.collect {
		if err := l.put(p); err != nil {
			return 0, err
		}
		return len(p), nil
	}
	if len(l.out) > 0 && len(l.out)+len(p) > cap(l.out) {
		if err := l.flushLocked(); err != nil {
			return 0, err
		}
	}
	if l.out == nil {
		l.out = takeLarge()[:0]
	}
	if len(p) > cap(l.out) {
		Release(l.out)
		l.out = nil
		if err := l.writeLocked(p); err != nil {
			return 0, err
		}
		return len(p), nil
	}
	l.out = append(l.out, p...)
	return len(p), nil
}

// Send writes p at once, behind what was collected. It borrows p.
func (l *Leg) Send(p []byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.flushLocked(); err != nil {
		return err
	}
	return l.writeLocked(p)
}

func (l *Leg) writeLocked(p []byte) error {
	if l.stall > 0 {
		l.conn.SetWriteDeadline(time.Now().Add(l.stall))
	}
	return l.put(p)
}

// Flush writes what was collected in one system call.
func (l *Leg) Flush() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.flushLocked()
}

// FlushIfFree is Flush, unless somebody is writing to the leg just now: who does
// flushes before it waits for more. It never waits for that writer, who may wait
// for the far end, which may wait for us to read from it.
func (l *Leg) FlushIfFree() error {
	if !l.mu.TryLock() {
		return nil
	}
	defer l.mu.Unlock()
	return l.flushLocked()
}

func (l *Leg) flushLocked() error {
	if len(l.out) == 0 {
		return nil
	}
	err := l.writeLocked(l.out)
	Release(l.out)
	l.out = nil
	return err
}

// CloseWrite flushes and sends a FIN.
func (l *Leg) CloseWrite() error {
	err := l.Flush()
	if c, ok := l.conn.(interface{ CloseWrite() error }); ok {
		return errors.Join(err, c.CloseWrite())
	}
	return err
}
