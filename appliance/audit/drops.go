package audit

import (
	"time"

	"github.com/clearspan/clearspan/appliance/facts"
)

// A wire dropped frames of selected connections because it could not judge them. The
// entry is about no session: `reason` has the cause and `frames` the number.
const outcomeDropped = "dropped"

// Dropped describes frames that a wire dropped from start to end. reason is the word of
// their path.
func Dropped(intake, reason string, frames uint64, start, end time.Time) Entry {
	return Entry{
		Time: Time{time.Now()}, Start: Time{start}, End: Time{end},
		Intake: intake, Outcome: outcomeDropped, Reason: reason, Frames: frames,
		Events: []string{}, Service: map[string]string{}, Finding: map[string]string{},
		Mirror: map[string]Mirror{}, Flow: Flow{Ports: map[string]uint16{}},
		HTTP: []facts.Exchange{}, Refused: []Refused{}, Mail: []facts.Mail{}, Logins: []facts.Login{}, Transfers: []facts.Transfer{},
	}
}
