package intake

import "errors"

// hookedListener is a listener whose end is announced to the kernel first, lest new
// connections be refused.
type hookedListener struct {
	acceptor
	beforeClose func() error
}

func (l hookedListener) Close() error { return errors.Join(l.beforeClose(), l.acceptor.Close()) }
