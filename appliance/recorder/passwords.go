package recorder

import (
	"bytes"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/clearspan/clearspan/appliance/recorder/extract"
	"github.com/clearspan/clearspan/appliance/recorder/trail"
)

// letters are the mail messages of the last hour, and the archives in them that no password
// has opened yet. A password often comes in a message of its own, before or after.
type letters struct {
	recent []letter
	words  int // of all
	locked []locked
	octets int // of all
	opened int
}

// letter is what was said between people.
type letter struct {
	at     time.Time
	people people
	words  []string
}

// locked is an archive that waits for its password.
type locked struct {
	at     time.Time
	people people
	name   string
	hash   trail.Hash
	sent   trail.Direction
	octets []byte
	files  int // that can be read in it
}

const (
	answered    = time.Hour // between an archive and its password
	maxWords    = 300       // of a message
	maxSaid     = 200_000   // words of all messages
	leastWord   = 4
	longest     = 64
	maxLocked   = 16 << 20 // octets of an archive that waits
	maxWaiting  = 64 << 20 // of all
	maxArchive  = 1000     // that wait
	maxTried    = 20       // archives on which the words of a message are tried
	maxTogether = 2000     // words that are tried on an archive, of several messages
	said        = 64 << 10 // octets of a text that may have a password
)

// people are those of a mail message.
type people struct {
	from string
	to   []string
}

func peopleOf(e *trail.Event) people {
	p := people{from: strings.ToLower(e.Sender)}
	for _, x := range e.Parties {
		if x.Role != trail.From {
			p.to = append(p.to, strings.ToLower(x.Address))
		}
	}
	return p
}

// has reports whether an address is one of them.
func (p people) has(address string) bool {
	return address != "" && (p.from == address || slices.Contains(p.to, address))
}

// meet reports whether the sender of p, and one to whom it goes, are among the others.
func (p people) meet(others people) bool {
	return others.has(p.from) && slices.ContainsFunc(p.to, func(a string) bool { return a != p.from && others.has(a) })
}

// correspondence looks at an object of a mail message: one that is locked is opened by what
// was said before, or waits; and what is said opens those that wait.
func (x *examiner) correspondence(event *trail.Event, s *trail.Sighting, b *trail.Batch, e *examination, octets io.ReaderAt) *examination {
	l := x.letters
	l.forget(event.At)
	who := peopleOf(event)
	if _, isLocked := e.byName[string(extract.Encrypted)]; isLocked {
		if words := l.said(who, event); len(words) > 0 {
			hint := extract.Hint{Name: s.Name, Type: s.Type, Passwords: words}
			if open, _ := x.documents.examine(x.ctx, x.inspector, octets, int64(s.Size), hint); len(open.members) > len(e.members) {
				return open
			}
		}
		if s.Size <= maxLocked {
			p := make([]byte, s.Size)
			if n, _ := octets.ReadAt(p, 0); n == len(p) {
				l.wait(locked{event.At, who, s.Name, s.Hash, s.Direction, p, len(e.members)})
			}
		}
		return e
	}
	if words := wordsIn(e.text.String()); len(words) > 0 {
		l.add(letter{event.At, who, words})
		x.open(event, who, words, b)
	}
	return e
}

// open tries words on the archives that wait. Findings in one that opens belong to the message
// with the password: the rows of the other one are written, and sealed.
func (x *examiner) open(event *trail.Event, who people, words []string, b *trail.Batch) {
	l := x.letters
	tried := 0
	l.locked = slices.DeleteFunc(l.locked, func(a locked) bool {
		if !a.people.meet(who) || tried == maxTried {
			return false
		}
		tried++
		open, _ := x.documents.examine(x.ctx, x.inspector, bytes.NewReader(a.octets), int64(len(a.octets)), extract.Hint{Name: a.name, Passwords: slices.Clone(words)})
		if len(open.members) <= a.files {
			return false
		}
		l.opened++
		l.octets -= len(a.octets)
		open.findings = slices.DeleteFunc(open.findings, func(f Found) bool { return f.Detector == string(extract.Encrypted) })
		for i := range open.findings {
			open.findings[i].Where = a.name + ", " + open.findings[i].Where
		}
		open.rows(event, &trail.Sighting{Event: event.ID, Number: maxMembers + l.opened, Hash: a.hash, At: event.At, Direction: a.sent}, b)
		open.words(event, a.hash, b)
		return true
	})
}

// said returns the words that the same people have said, the newest first, and those of the
// message itself.
func (l *letters) said(who people, event *trail.Event) (words []string) {
	words = wordsIn(event.Subject)
	for _, x := range slices.Backward(l.recent) {
		if who.meet(x.people) && len(words) < maxTogether {
			words = append(words, x.words...)
		}
	}
	return words
}

// add keeps what was said.
func (l *letters) add(x letter) {
	l.recent = append(l.recent, x)
	for l.words += len(x.words); l.words > maxSaid; {
		l.words -= len(l.recent[0].words)
		l.recent = l.recent[1:]
	}
}

// wait keeps an archive.
func (l *letters) wait(a locked) {
	l.locked = append(l.locked, a)
	for l.octets += len(a.octets); l.octets > maxWaiting || len(l.locked) > maxArchive; {
		l.octets -= len(l.locked[0].octets)
		l.locked = slices.Delete(l.locked, 0, 1)
	}
}

// forget drops what is too old.
func (l *letters) forget(now time.Time) {
	for len(l.recent) > 0 && now.Sub(l.recent[0].at) > answered {
		l.words -= len(l.recent[0].words)
		l.recent = l.recent[1:]
	}
	for len(l.locked) > 0 && now.Sub(l.locked[0].at) > answered {
		l.octets -= len(l.locked[0].octets)
		l.locked = slices.Delete(l.locked, 0, 1)
	}
}

// wordsIn returns what may be a password in a text: runs of ASCII without blanks, as they
// are, and without signs around them.
func wordsIn(text string) (list []string) {
	seen := make(map[string]bool)
	add := func(w string) {
		if len(w) >= leastWord && len(w) <= longest && !seen[w] && len(list) < maxWords {
			seen[w] = true
			list = append(list, w)
		}
	}
	text = strings.Map(narrow, text[:min(len(text), said)])
	for run := range strings.FieldsSeq(text) {
		add(run)
		add(strings.Trim(run, "\"'`<>()[]{}.,;:!?"))
		if i := strings.LastIndexAny(run, ":="); i >= 0 {
			add(run[i+1:])
			add(strings.Trim(run[i+1:], "\"'`<>()[]{}.,;!?"))
		}
	}
	return list
}

// narrow makes full-width characters those of ASCII, and all that is no ASCII a blank.
func narrow(r rune) rune {
	switch {
	case 0xff01 <= r && r <= 0xff5e:
		return r - 0xff01 + '!'
	case r <= ' ' || r > '~':
		return ' '
	}
	return r
}
