package decrypt

import (
	"context"

	"github.com/clearspan/clearspan/decrypt/internal/handshake"
)

// terminate ends the session as the policy says. The client is told why when it has
// ended, see refuse.
func (s *session) terminate(context.Context) (stage, error) {
	if s.denial != nil {
		return stageEnd, s.denial
	}
	if s.opening == opensTLS {
		return stageEnd, fail(reasonPolicy, nil, handshake.AlertAccessDenied)
	}
	return stageEnd, fail(reasonPolicy, nil, 0)
}
