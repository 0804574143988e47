package decrypt

import (
	"context"

	"github.com/clearspan/clearspan/decrypt/policy"
)

// opening is what a session begins with, as far as it is known.
type opening uint8

const (
	opensSilent   opening = iota // nobody has said anything: the origin may speak first
	opensDialogue                // in the clear, in a protocol that may turn to TLS
	opensPlain                   // the client has spoken, in a protocol that stays as it is
	opensTLS                     // the ClientHello was read
	opensData                    // an FTP data connection
	opensSecured                 // an FTP data connection that begins with TLS
)

// ways has the stages by which the policy's decisions are carried out, by opening and
// [policy.Action]. A dialogue that is to be tunneled goes on: the policy is asked again when
// TLS begins. A silent client that is to be refused may still say a name that changes that.
var ways = [...][4]stage{
	// policy.Bump, policy.Tunnel, policy.TunnelCheck, policy.Terminate
	opensSilent:   {stageConverse, stageConverse, stageConverse, stageHold},
	opensDialogue: {stageConverse, stageConverse, stageConverse, stageTerminate},
	opensPlain:    {stagePlain, stageTunnel, stageTunnel, stageTerminate},
	opensTLS:      {stageBump, stageTunnel, stageCheck, stageTerminate},
	opensData:     {stageData, stageTunnel, stageTunnel, stageTerminate},
	opensSecured:  {stageData, stageTunnel, stageData, stageTerminate},
}

// choose returns the stage that carries out the decision at hand. Whatever led to it,
// first octets, the origin's certificate or a learned entry, it becomes a way to go here and
// nowhere else.
func (s *session) choose() stage {
	d := &s.account.Decision
	switch {
	case d.Pending && s.opening == opensTLS && !s.met:
		return stageLookup
	case s.unbumpable:
		return ways[s.opening][policy.Tunnel]
	}
	way := ways[s.opening][d.Action]
	if way == stageTunnel && s.claimed() != "" { // a name that may be false
		if d.Action == policy.TunnelCheck {
			return stageCheck
		}
		return stageProve
	}
	return way
}

// decide asks the policy with what is known, and again if the session is to go
// elsewhere, by its server name.
func (s *session) decide(ctx context.Context) (stage, error) {
	s.ask(s.facts())
	if s.opening == opensTLS {
		if err := s.reroute(ctx); err != nil {
			return stageEnd, err
		}
	}
	return s.choose(), nil
}

// unbump has a session tunneled, over a new leg, though the policy says bump: the
// handshake with its origin has shown that it cannot be bumped, or should not.
func (s *session) unbump() stage {
	s.giveUp()
	s.unbumpable, s.account.forcedBy = true, ByOrigin
	return s.choose()
}
