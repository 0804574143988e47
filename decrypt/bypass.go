package decrypt

import (
	"cmp"

	"github.com/clearspan/clearspan/decrypt/learn"
	"github.com/clearspan/clearspan/decrypt/policy"
)

// Cause is who caused that a session passed unopened. The words stand in audit entries
// and metrics.
type Cause string

const (
	// ByOrigin: the origin asks for a client certificate, has an invalid certificate, or
	// takes no handshake of ours.
	ByOrigin Cause = "origin"
	// ByClient: the client refuses our certificate, hides its server name, or sends a hello
	// that cannot be bumped.
	ByClient Cause = "client"
	// ByOperator: a rule, the default or another key of the configuration says so.
	ByOperator Cause = "operator"
)

// Causes are all there are.
var Causes = []Cause{ByOrigin, ByClient, ByOperator}

func eventRule(e policy.Event) string { return "event:" + e.String() }

// attribute notes who caused that the session passes unopened.
func (s *Session) attribute() {
	s.BypassBy = ""
	if s.Outcome == Tunneling {
		s.BypassBy = cmp.Or(s.forcedBy, s.cause())
	}
}

// cause tells it by the decision.
func (s *Session) cause() Cause {
	switch learn.Lesson(s.Decision.Learned) {
	case learn.Pinned:
		return ByClient
	case learn.ClientCertificate, learn.FailedOrigin:
		return ByOrigin
	}
	switch s.Decision.Rule {
	case eventRule(policy.NoSNI), eventRule(policy.SNIMismatch), eventRule(policy.SNIUnresolved), eventRule(policy.NoSharedCipher),
		eventRule(policy.ECHRequired), eventRule(policy.ECH), eventRule(policy.TunnelUnproven):
		return ByClient
	}
	return ByOperator
}
