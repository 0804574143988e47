package mail

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/clearspan/clearspan/decrypt"
)

// session is one SMTP session. Its fields belong to the goroutine that reads commands.
type session struct {
	cfg      *Config
	ctx      context.Context
	s        *decrypt.Session
	client   *client
	origin   *origin
	word     string   // result so far
	messages int      // so far
	chunks   *content // of the message at hand, nil without
}

// Carry implements decrypt.Service.
func (m *Service) Carry(ctx context.Context, s *decrypt.Session, near, far decrypt.End) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	c := &client{input: newInput(near), end: near}
	greeted := s.Protocol == "smtp" // in the dialogue that told so
	x := &session{cfg: &m.cfg, ctx: ctx, s: s, client: c, origin: newOrigin(far, c, greeted)}
	defer func() { x.chunks.close() }()

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
		err := decrypt.Contain(x.origin.replies)
		failed(err)
		x.origin.ended(err)
	})
	failed(decrypt.Contain(x.commands))
	wg.Wait()
	return first
}

// served notes what became of a message.
func (x *session) served(word string, took time.Duration) {
	if severity[word] > severity[x.word] {
		x.word = word
		x.s.Served(x.cfg.Name, word)
	}
	if x.cfg.Observe != nil {
		x.cfg.Observe(x.cfg.Name, word, took)
	}
}

func (x *session) newContent(dotted bool) *content {
	return &content{dotted: dotted, most: x.cfg.MaxMessage, memory: x.cfg.Memory, dir: x.cfg.Dir}
}
