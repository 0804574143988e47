package decrypt

import (
	"fmt"
	"runtime/debug"
)

// Panic is a panic in the work for one session, which ends by it, and alone.
type Panic struct {
	Value any
	Stack []byte
}

// Error implements error.
func (p *Panic) Error() string { return fmt.Sprint("panic: ", p.Value) }

// Reason is the one that the session ends for.
func (p *Panic) Reason() string { return reasonPanic }

// Contain calls f and returns a [*Panic] if it panics. Every goroutine that works for
// a session runs by it, or a fault in one session would end all: Go lets no other
// goroutine recover. Locks that f held then stay locked.
func Contain(f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &Panic{v, debug.Stack()}
		}
	}()
	return f()
}
