package mail

import (
	"context"
	"errors"
	"sync"

	"github.com/clearspan/clearspan/decrypt"
	"github.com/clearspan/clearspan/decrypt/sniff"
)

// session is one SMTP session. Its fields belong to the goroutine that reads commands.
type session struct {
	*scan
	client *client
	origin *origin
	chunks *content // of the message at hand, nil without
}

// side is what carries a session: two goroutines.
type side interface {
	commands() error // relays what the client says, until it ends or fails
	replies() error  // relays what the origin says
	ended(err error) // tells commands that no reply comes any more
}

// Carry implements decrypt.Service.
func (m *Service) Carry(ctx context.Context, s *decrypt.Session, near, far decrypt.End) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	look := &scan{cfg: &m.cfg, ctx: ctx, s: s}
	greeted := Speaks(s) // in the dialogue that told the protocol
	c := &client{input: newInput(near), end: near}
	if s.Protocol == protocolData {
		return files(look, near, far)
	}
	switch m.protocol(s) {
	case sniff.IMAP:
		return both(newMailbox(look, near, far), near, far, cancel)
	case sniff.POP3:
		return both(newPostOffice(look, near, far, greeted), near, far, cancel)
	}
	x := &session{scan: look, client: c, origin: newOrigin(far, c, greeted)}
	defer func() { x.chunks.close() }()
	return both(x, near, far, cancel)
}

func (x *session) replies() error  { return x.origin.replies() }
func (x *session) ended(err error) { x.origin.ended(err) }

// both runs the two goroutines of a session until they have ended.
func both(x side, near, far decrypt.End, cancel func()) error {
	var once sync.Once
	var first error
	failed := func(err error) {
		if err != nil && !errors.Is(err, errOver) {
			once.Do(func() {
				first = err
				cancel()
				near.Abort()
				far.Abort()
			})
		}
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		err := decrypt.Contain(x.replies)
		failed(err)
		x.ended(err)
	})
	failed(decrypt.Contain(x.commands))
	wg.Wait()
	return first
}
