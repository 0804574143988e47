package appliance

import (
	"errors"
	"fmt"
	"log/slog"
)

// closers is the stack of what an appliance has opened. Its zero value is empty. It is
// for one goroutine at a time.
type closers []closer

type closer struct {
	part  string
	close func() error
}

// push adds a part that was opened. close is called once.
func (c *closers) push(part string, close func() error) { *c = append(*c, closer{part, close}) }

// close ends every part, the last that was opened first, and empties the stack. A part
// that fails keeps no other from its end: the errors are joined.
func (c *closers) close(log *slog.Logger) error {
	var errs []error
	for len(*c) > 0 {
		last := (*c)[len(*c)-1]
		*c = (*c)[:len(*c)-1]
		log.Debug("closing", "part", last.part)
		if err := last.close(); err != nil {
			errs = append(errs, fmt.Errorf("close %s: %w", last.part, err))
		}
	}
	return errors.Join(errs...)
}
