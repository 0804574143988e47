package decrypt

import "time"

// Step is a part of a session whose time is measured.
type Step uint8

// Steps of a session.
const (
	StepDecision   Step = iota // answers of the policy, all together
	StepDial                   // connections to the origin, all together
	StepForge                  // the certificate that the client is shown
	StepFirstOctet             // from the start until the origin's first octet of application data
	stepCount
)

var stepWords = [stepCount]string{"decision", "dial", "forge", "first-octet"}

// String returns the word of a step, such as "first-octet".
func (s Step) String() string {
	if s < stepCount {
		return stepWords[s]
	}
	return "unknown"
}

// Steps lists all steps.
func Steps() []Step { return []Step{StepDecision, StepDial, StepForge, StepFirstOctet} }

// Took returns the time that a step took so far, 0 if there was none. Safe for concurrent
// use.
func (s *Session) Took(step Step) time.Duration { return time.Duration(s.took[step].Load()) }

// spend notes that a step went on since start.
func (s *Session) spend(step Step, start time.Time) { s.took[step].Add(int64(time.Since(start))) }

// heard notes that application data came from the origin.
func (s *Session) heard() {
	if first := &s.took[StepFirstOctet]; first.Load() == 0 && !s.Start.IsZero() {
		first.CompareAndSwap(0, max(int64(time.Since(s.Start)), 1))
	}
}
