package adapt

import (
	"context"
	"errors"
	"io"
)

// Ready reports whether reading from r does not wait.
func Ready(r io.Reader) bool {
	w, ok := r.(interface{ Ready() bool })
	return ok && w.Ready()
}

// watched notes a service that fails while its body is being sent.
type watched struct {
	s       *Session
	ctx     context.Context
	service string
	r       io.Reader
	failed  bool
}

// Ready and Rest are those of the service's body.
func (w *watched) Ready() bool { return Ready(w.r) }

func (w *watched) Rest() io.Reader {
	if r, ok := w.r.(interface{ Rest() io.Reader }); ok && !w.failed {
		return r.Rest()
	}
	return nil
}

// Read implements io.Reader.
func (w *watched) Read(p []byte) (int, error) {
	n, err := w.r.Read(p)
	if err != nil && err != io.EOF && !w.failed {
		w.failed = true
		if broken := (*BodyError)(nil); !errors.As(err, &broken) && w.ctx.Err() == nil {
			w.s.note(w.service, WordFailedClosed, 0)
		}
	}
	return n, err
}
