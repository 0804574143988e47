package intake

import "errors"

// heralded is a listener whose end is announced to the kernel first, lest new
// connections be refused.
type heralded struct {
	acceptor
	announce func() error
}

func (l heralded) Close() error { return errors.Join(l.announce(), l.acceptor.Close()) }
