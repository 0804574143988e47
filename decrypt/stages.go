package decrypt

import (
	"context"

	"github.com/clearspan/clearspan/decrypt/policy"
)

// stage is a part of a session's life. It does its part and says what follows.
type stage uint8

const (
	stageEnd       stage = iota // nothing follows
	stagePeek                   // wait for the client's first octets
	stageHold                   // wait longer, where the policy terminates a silent client
	stageHello                  // read the ClientHello
	stageDecide                 // ask the policy
	stageLookup                 // ask the origin for its certificate, and the policy again
	stageTerminate              // refuse the session
	stageProve                  // find out whether a name that has the session tunneled may be believed
	stageCheck                  // find out whether the server name belongs to the destination
	stageTunnel                 // dial the origin, to pass everything unopened
	stageBump                   // make the handshakes with origin and client
	stagePlain                  // dial the origin, to pass what is not encrypted
	stageData                   // dial the other end of an FTP data connection
	stageConverse               // dial the origin of a dialogue that may turn to TLS
	stageDialogue               // pass the dialogue, until it turns to TLS or stays plain
	stageRelay                  // carry the octets
)

// stages is a session's life. It begins with stagePeek. Behind each stage stands what
// may follow; "ways" is what the table of that name has for the policy's decision. An
// error ends the session in any stage.
var stages = [...]func(*session, context.Context) (stage, error){
	stagePeek:      (*session).peek,              // stageHello, stageDecide
	stageHold:      (*session).hold,              // stageHello, stageDecide, stageTerminate
	stageHello:     (*session).readHello,         // stageDecide
	stageDecide:    (*session).decide,            // ways
	stageLookup:    (*session).lookUpCertificate, // ways
	stageTerminate: (*session).terminate,         //
	stageProve:     (*session).prove,             // ways
	stageCheck:     (*session).check,             // stageTunnel, stageTerminate
	stageTunnel:    (*session).tunnel,            // stageRelay
	stageBump:      (*session).bump,              // stageRelay, ways
	stagePlain:     (*session).plain,             // stageRelay
	stageData:      (*session).dialData,          // stageDecide, stageRelay
	stageConverse:  (*session).converse,          // stageDialogue
	stageDialogue:  (*session).follow,            // stageHello, stageTerminate, stageRelay, stageEnd
	stageRelay:     (*session).carry,             // stageHello, stageEnd
}

// live takes the session from its first octet to its end.
func (s *session) live(ctx context.Context) error {
	for next := stagePeek; next != stageEnd; {
		s.stage = next
		s.settle()
		s.reached()
		var err error
		next, err = stages[s.stage](s, ctx)
		s.settle()
		if err != nil {
			return err
		}
	}
	return nil
}

// settle notes how the session is carried: the outcome if it ended in its stage. It is
// called around each stage, and within one that learns more before the tap is asked.
func (s *session) settle() {
	a := s.account
	switch {
	case s.stage == stageTerminate, s.overrule != nil:
		a.Outcome = Terminated
	case s.stage == stageRelay:
		a.Outcome = [...]Outcome{Decrypted: Bumped, Plain: Passed, Tunneled: Tunneling}[s.content]
	case s.stage == stageDialogue:
		a.Outcome = [...]Outcome{
			policy.Bump: Passed, policy.Tunnel: Tunneling, policy.TunnelCheck: Tunneling, policy.Terminate: Terminated,
		}[a.Decision.Action]
	default:
		a.Outcome = Failed
	}
	a.attribute()
}
