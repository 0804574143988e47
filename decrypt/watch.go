package decrypt

// Running is a session that the engine carries, as [Config.Watch] gets it.
type Running interface {
	// Account returns the session's account.
	Account() *Session
	// Cut resets the session, as its operator wants it. It does not wait. A session that
	// is about to dial its origin ends when that is done. Safe for concurrent use.
	Cut()
}

// Observer follows one session. The session's own goroutines call it, one at a time. It
// may read the account meanwhile, and must not wait.
type Observer interface {
	// Reached is told that the session comes to a stage of its life, or has learned more
	// within it. Stages are fixed words, see [StageWords].
	Reached(stage string)
}

// The stages of a session as an [Observer] hears of them: several of the engine's have
// one word.
const (
	StagePeek      = "peek"      // the client's first octets are waited for
	StageDecide    = "decide"    // the policy is asked
	StageCheck     = "check"     // the origin, or the DNS, is asked whether the policy's conditions hold
	StageRefuse    = "refuse"    // the client is told of a refusal
	StageDial      = "dial"      // a connection to the origin is opened
	StageHandshake = "handshake" // TLS begins on both legs
	StageDialogue  = "dialogue"  // a plain dialogue is followed that may turn to TLS
	StageRelay     = "relay"     // octets are relayed
)

// StageWords are the words above, in the order of a session's life.
var StageWords = []string{StagePeek, StageDecide, StageCheck, StageRefuse, StageDial, StageHandshake, StageDialogue, StageRelay}

var wordOf = [...]string{
	stagePeek:      StagePeek,
	stageHold:      StagePeek,
	stageHello:     StagePeek,
	stageDecide:    StageDecide,
	stageLookup:    StageCheck,
	stageTerminate: StageRefuse,
	stageProve:     StageCheck,
	stageCheck:     StageCheck,
	stageTunnel:    StageDial,
	stageBump:      StageHandshake,
	stagePlain:     StageDial,
	stageData:      StageDial,
	stageConverse:  StageDial,
	stageDialogue:  StageDialogue,
	stageRelay:     StageRelay,
}

// reached tells the observer what is known now.
func (s *session) reached() {
	if s.observer != nil {
		s.observer.Reached(wordOf[s.stage])
	}
}

// Account implements [Running].
func (s *session) Account() *Session { return s.account }

// Cut implements [Running].
func (s *session) Cut() { s.abort(reasonOperator) }
