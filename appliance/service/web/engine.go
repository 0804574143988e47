package web

import (
	"context"

	"github.com/clearspan/clearspan/appliance/service/web/adapt"
	"github.com/clearspan/clearspan/decrypt"
)

// Engine is a [decrypt.Service] that shows HTTP messages to services. It is safe
// for concurrent use.
type Engine struct{ cfg adapt.Config }

var _ decrypt.Service = (*Engine)(nil)

// New returns an engine.
func New(cfg adapt.Config) *Engine { return &Engine{cfg: cfg.WithDefaults()} }

// Carry implements [decrypt.Service]. It returns an [*adapt.Refusal] for octets
// that must not be passed on.
func (e *Engine) Carry(ctx context.Context, s *decrypt.Session, client, origin decrypt.End) error {
	return (&session{Session: adapt.NewSession(ctx, &e.cfg, s, client, origin)}).run()
}

// Refuse implements what [decrypt.Service] says: a plain dialogue that passes beside the
// services ends if they let no other protocol than HTTP pass.
func (e *Engine) Refuse(*decrypt.Session) error {
	if e.cfg.Foreign == adapt.Block {
		return adapt.Refuse(adapt.Request, adapt.Foreign)
	}
	return nil
}
