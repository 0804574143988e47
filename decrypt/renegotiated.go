package decrypt

import (
	"context"
	"errors"

	"github.com/clearspan/clearspan/decrypt/learn"
)

// renegotiated looks at how a decrypted session ended, with err, whose origin may have
// renegotiated. If that failed, the session teaches what a failed first handshake would
// have taught: the origin needs a client certificate if it has asked for one.
func (s *session) renegotiated(ctx context.Context, err error) error {
	s.account.OriginTLS.Renegotiated = s.renegotiation.Done()
	var f *failure
	if !s.renegotiation.Failed() || errors.As(err, &f) && f.reason != reasonOriginReset && f.reason != reasonService {
		return err // the client has left meanwhile, say
	}
	switch {
	case !s.renegotiation.AsksForCertificate():
		s.report(learn.FailedOrigin, whyRenegotiation)
	case s.engine.cfg.Origin.ClientCertificate == TunnelRequest:
		s.report(learn.ClientCertificate, whyRequested)
	case s.engine.cfg.Origin.ClientCertificate == AnswerNone:
		s.heedInsistence(ctx)
	}
	if err == nil { // a service has told the client
		return nil
	}
	if f != nil {
		err = f.err
	}
	return fail(reasonRenegotiation, err, 0)
}
