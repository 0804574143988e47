package decrypt

import (
	"context"
	"errors"

	"github.com/clearspan/clearspan/decrypt/internal/handshake"
	"github.com/clearspan/clearspan/decrypt/learn"
	"github.com/clearspan/clearspan/decrypt/policy"
)

// bump terminates TLS on both legs.
func (s *session) bump(ctx context.Context) (next stage, err error) {
	if s.hello.FinalDot {
		return stageEnd, fail(reasonMalformed, errFinalDot, handshake.AlertUnrecognizedName)
	}
	s.met = true
	err = s.shake(func() (err error) {
		next, err = s.establish(ctx)
		return err
	})
	return next, s.insists(err)
}

// establish makes the handshakes: first the origin's, then, with what it taught, the
// client's.
func (s *session) establish(ctx context.Context) (stage, error) {
	var met error // what came of the origin's
	if s.lookup != nil {
		met = s.lookup.err
	} else {
		if err := s.dial(ctx); err != nil {
			return stageEnd, err
		}
		met = s.meetOrigin(ctx)
	}
	if met != nil && !s.showsUntrusted(met) {
		return s.unestablished(ctx, met)
	}
	if err := s.clientHandshake(ctx, met == nil); err != nil {
		return stageEnd, err
	}
	s.content = Decrypted
	return stageRelay, nil
}

// showsUntrusted reports whether the client is to see that its origin is not trusted,
// for met: by a leaf of the untrusted authority.
func (s *session) showsUntrusted(met error) bool {
	verdict := s.account.OriginTLS.Verdict
	return verdict != "" && s.originTLS != nil && !errors.As(met, new(*failure)) && s.engine.cfg.Origin.OnInvalid.Action(verdict) == Untrusted
}

// unestablished takes a session whose origin is not to be met, for err.
func (s *session) unestablished(ctx context.Context, err error) (stage, error) {
	if certificateMatter(err) {
		return s.uncertified(ctx, err)
	}
	switch verdict := s.account.OriginTLS.Verdict; {
	case errors.As(err, new(*failure)):
		return stageEnd, err
	case verdict != "" && s.engine.cfg.Origin.OnInvalid.Action(verdict) == PassOn && !s.upgraded():
		return s.unbump(), nil
	case verdict != "":
		return stageEnd, refusal(verdict, err, handshake.AlertBadCertificate)
	case refusesCiphers(err):
		return s.unsuited(err)
	}
	return s.failedOrigin(err)
}

// upgraded reports whether a dialogue, or a TLS session around it, has come before TLS,
// here or on a control connection. It cannot be started over.
func (s *session) upgraded() bool { return s.legs.Moved() || s.data != nil || s.client.Depth() > 0 }

// unsuited takes a session whose origin takes nothing that we offer. The policy may
// have something else for it.
func (s *session) unsuited(err error) (stage, error) {
	s.account.note(policy.NoSharedCipher)
	d := s.askAgain()
	if d.Action == policy.Bump || d.Action != policy.Terminate && s.upgraded() {
		return s.failedOrigin(err)
	}
	s.account.Decision, s.denial = d, fail(reasonPolicy, err, handshake.AlertAccessDenied)
	if d.Action != policy.Terminate {
		s.account.forcedBy = ByOrigin
		s.giveUp()
	}
	return s.choose(), nil
}

// failedOrigin takes a session with whose origin no handshake can be made.
func (s *session) failedOrigin(err error) (stage, error) {
	if handshake.Incapable(err) && s.report(learn.FailedOrigin, whyHandshake) && !s.upgraded() {
		return s.unbump(), nil
	}
	return stageEnd, fail(reasonOriginTLS, err, handshake.AlertHandshakeFailure)
}
