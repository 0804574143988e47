package learn

import (
	"fmt"
	"io"
	"os"

	"github.com/clearspan/clearspan/decrypt/policy"
)

// Match is an entry about the host of a session.
type Match struct {
	Entry   Entry  `json:"entry"`
	Tunnels bool   `json:"tunnels"`           // [Table.Recall] would have the session tunneled
	Why     string `json:"why_not,omitempty"` // why it does not, in words
}

// Read reads what Save wrote, and leaves the file alone whatever it holds. Entries that
// are over stay, so that [Table.Matches] can tell of them.
func (t *Table) Read(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("open learned entries: %w", err)
	}
	defer f.Close()
	entries, err := decode(io.LimitReader(f, maxFile))
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, e := range entries {
		if e.valid() && t.entries.Find(e.key()) == nil {
			t.add(e)
		}
	}
	return nil
}

// Matches returns the entries about the host of a session, and what each does to it if
// the policy would bump it with a treatment. It borrows f, and changes nothing.
func (t *Table) Matches(f *policy.Facts, tr *policy.Treatment) (matches []Match) {
	s, ok := newSubject(f)
	if !ok {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	for _, l := range Lessons {
		if l == NarrowOffer {
			continue
		}
		for _, scope := range []Scope{ClientHost, Host} {
			if e := t.entries.Find(s.key(l, scope)); e != nil {
				m := Match{Entry: *e}
				switch action := t.options.action(l, tr); {
				case tr != nil && Action(tr.Learn) == Off:
					m.Why = "the rule has learn: off"
				case e.expired(now):
					m.Why = "it is over"
				case !e.at(s.destination):
					m.Why = fmt.Sprintf("it was learned of %v, not of %v", e.Destinations[0], s.destination)
				case action != Tunnel && !e.Kept:
					m.Why = fmt.Sprintf("the action is %s, and no operator has pinned it", action)
				default:
					m.Tunnels = true
				}
				matches = append(matches, m)
			}
			if l != Pinned {
				break
			}
		}
	}
	return matches
}
