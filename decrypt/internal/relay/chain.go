package relay

import (
	"errors"
	"io"
	"sync"
)

// End is one side of a session's cleartext: a leg, or the next service.
type End interface {
	io.Reader
	io.Writer
	CloseWrite() error
	Abort()
}

// Chain runs services in order, each in a goroutine of its own, with pipes
// between them. The error of the first that fails, and not because another has, is
// returned when all have ended.
func Chain(services []func(client, origin End) error, client, origin End) error {
	if len(services) == 1 {
		return services[0](client, origin)
	}
	var wg sync.WaitGroup
	errs := make([]error, len(services))
	order := make(chan int, len(services)) // in which they failed
	left := client
	for i, carry := range services {
		right, next := origin, End(nil)
		if i < len(services)-1 {
			right, next = pipe()
		}
		client, origin := left, right
		wg.Go(func() {
			if err := carry(client, origin); err != nil {
				errs[i] = err
				order <- i
				client.Abort()
				origin.Abort()
				return
			}
			for _, end := range []End{client, origin} {
				if p, ok := end.(*pipeEnd); ok {
					p.leave()
				}
			}
		})
		left = next
	}
	wg.Wait()
	close(order)
	var first error
	for i := range order {
		if !errors.Is(errs[i], ErrAborted) {
			return errs[i]
		}
		first = errs[i]
	}
	return first
}

// pipeEnd is one end of the connection between two services. It has no buffer:
// a write waits for its reader.
type pipeEnd struct {
	*io.PipeReader
	w *io.PipeWriter
}

func pipe() (a, b *pipeEnd) {
	ar, bw := io.Pipe()
	br, aw := io.Pipe()
	return &pipeEnd{ar, aw}, &pipeEnd{br, bw}
}

// Write implements [End].
func (p *pipeEnd) Write(b []byte) (int, error) { return p.w.Write(b) }

// CloseWrite implements [End].
func (p *pipeEnd) CloseWrite() error { return p.w.Close() }

// Abort implements [End].
func (p *pipeEnd) Abort() {
	p.CloseWithError(ErrAborted)
	p.w.CloseWithError(ErrAborted)
}

// leave is for a service that has ended in order: nobody reads here any more.
func (p *pipeEnd) leave() {
	p.w.Close()
	p.PipeReader.Close()
}
