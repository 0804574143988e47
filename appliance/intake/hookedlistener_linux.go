package intake

import (
	"errors"
	"time"
)

// hookedListener is a listener whose end is announced to the kernel first, lest new
// connections be refused.
type hookedListener struct {
	acceptor
	beforeClose func() error
}

func (l hookedListener) Close() error { return errors.Join(l.beforeClose(), l.acceptor.Close()) }

// SetDeadline is that of the listener.
func (l hookedListener) SetDeadline(t time.Time) error {
	d, ok := l.acceptor.(interface{ SetDeadline(time.Time) error })
	if !ok {
		return errors.ErrUnsupported
	}
	return d.SetDeadline(t)
}
