package starttls

import (
	"fmt"
	"strings"
	"testing"

	"github.com/clearspan/clearspan/decrypt/sniff"
)

// turn is what one side sends before it lets the other speak.
type turn struct {
	origin bool
	octets string
}

// script reads turns from lines "C: ..." and "O: ...". Every line ends in CRLF;
// "C< ..." and "O< ..." add a line to the turn before. "\" at the end of a line
// leaves the CRLF out, "␊" is a bare line feed, "␋" a vertical tab, "␀" NUL.
func script(text string) []turn {
	var turns []turn
	for line := range strings.Lines(strings.TrimPrefix(text, "\n")) {
		line = strings.TrimSuffix(strings.TrimLeft(line, "\t"), "\n")
		if line == "" {
			continue
		}
		octets, open := strings.CutSuffix(strings.TrimPrefix(line[2:], " "), `\`)
		octets = strings.NewReplacer("␊", "\n", "␋", "\v", "␀", "\x00").Replace(octets)
		if !open {
			octets += "\r\n"
		}
		if line[1] == '<' {
			turns[len(turns)-1].octets += octets
			continue
		}
		turns = append(turns, turn{line[0] == 'O', octets})
	}
	return turns
}

// cutter says how many of n octets arrive together.
type cutter func(n int) int

func whole(n int) int { return n }
func single(int) int  { return 1 }

// replay plays the engine: it keeps what was not consumed, and asks the client's
// side again when a turn of the origin is over.
type replay struct {
	t       testing.TB
	d       *Dialogue
	state   State
	pending [2]string // not consumed, by direction
	relayed [2]string
	visible [2]string // relayed, without what belongs to the negotiation
	scratch []Span
}

func play(t testing.TB, d *Dialogue, turns []turn, cut cutter) *replay {
	r := &replay{t: t, d: d}
	for _, turn := range turns {
		for rest := turn.octets; len(rest) > 0; {
			n := cut(len(rest))
			r.feed(turn.origin, rest[:n])
			rest = rest[n:]
		}
		if turn.origin {
			r.feed(false, "")
		}
	}
	return r
}

// feed hands over octets of one direction and checks the spans that come back.
func (r *replay) feed(origin bool, octets string) {
	if r.state == Upgraded || r.state == Violation || r.state == Plain || r.state == Foreign {
		return
	}
	dir, ask := 0, r.d.Client
	if origin {
		dir, ask = 1, r.d.Origin
	}
	r.pending[dir] += octets
	p := []byte(r.pending[dir])
	earlier := Span{N: 7, Upgrade: true}
	spans, consumed, state := ask(p, append(r.scratch[:0], earlier))
	if consumed < 0 || consumed > len(p) {
		r.t.Fatalf("%d of %d octets consumed", consumed, len(p))
	}
	if spans[0] != earlier {
		r.t.Fatalf("span of the caller changed to %v", spans[0])
	}
	at := 0
	for i, s := range spans[1:] {
		if s.N <= 0 || i > 0 && s.Upgrade == spans[i].Upgrade {
			r.t.Fatalf("span %d of %v is empty or not merged", i, spans[1:])
		}
		if at+s.N > consumed {
			break
		}
		if !s.Upgrade {
			r.visible[dir] += string(p[at : at+s.N])
		}
		at += s.N
	}
	if at != consumed {
		r.t.Fatalf("spans %v do not cover %d octets", spans[1:], consumed)
	}
	if state == Done && consumed != len(p) {
		r.t.Fatalf("done, and %d of %d octets consumed", consumed, len(p))
	}
	if rest := p[consumed:]; len(rest) > maxLine && state == Following {
		r.t.Fatalf("%d octets held", len(rest))
	}
	r.relayed[dir] += string(p[:consumed])
	r.pending[dir] = string(p[consumed:])
	r.scratch, r.state = spans, state
}

func (r *replay) String() string {
	return fmt.Sprintf("state %v\nrelayed %q\nvisible %q\npending %q\noffered %v",
		r.state, r.relayed, r.visible, r.pending, r.d.Offered())
}

// newDialogue is New for the protocols that are followed.
func newDialogue(t testing.TB, p sniff.Protocol) *Dialogue {
	d := New(p)
	if d == nil {
		t.Fatalf("no dialogue for %q", p)
	}
	return d
}
