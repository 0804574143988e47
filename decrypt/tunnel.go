package decrypt

import (
	"context"

	"github.com/clearspan/clearspan/decrypt/internal/handshake"
)

// tunnel passes everything unchanged, from the octets that were peeked at on.
func (s *session) tunnel(ctx context.Context) (stage, error) {
	return s.pass(ctx, Tunneled)
}

// plain passes what is not encrypted, by way of services if there are any.
func (s *session) plain(ctx context.Context) (stage, error) {
	return s.pass(ctx, Plain)
}

// pass has the legs relayed as they are, when the origin was dialed.
func (s *session) pass(ctx context.Context, content Content) (stage, error) {
	if err := s.dial(ctx); err != nil {
		return stageEnd, err
	}
	if s.strays() {
		return stageEnd, fail(reasonNameCheck, errElsewhere, handshake.AlertAccessDenied)
	}
	s.content = content
	return stageRelay, nil
}
