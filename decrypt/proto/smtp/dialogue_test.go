package smtp

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/clearspan/clearspan/decrypt/proto/pipeline"
)

// follow plays lines "C: command", "C> response", "C_content", "C. " for its end, and
// "S: reply". It returns what each line of the server answers, and Next at the end.
func follow(t *testing.T, d *Dialogue[int], script string) (answers string, err error) {
	t.Helper()
	var list []string
	for i, line := range strings.Split(script, "\n") {
		kind, text := line[:2], []byte(strings.TrimPrefix(line[2:], " "))
		switch kind {
		case "C:":
			c, _ := ParseCommand(text, d.Strictness)
			err = d.Command(c, i)
		case "C>":
			d.Respond()
		case "C_":
			for p := []byte(strings.ReplaceAll(line[2:], "|", "\n")); len(p) > 0; {
				_, n, _, _ := d.Text(p, i)
				p = p[n:]
			}
		case "C.":
			err = d.End(i)
		case "S:":
			var a Answer[int]
			if a, err = d.Reply(text); err == nil {
				final := ""
				if a.Final {
					final = "!"
				}
				list = append(list, fmt.Sprintf("%v@%d%s", a.To, a.Note, final))
			}
		}
		if err != nil {
			break
		}
	}
	return strings.Join(list, " "), err
}

func TestDialogue(t *testing.T) {
	for _, tt := range []struct {
		name, script string
		strictness   Strictness
		answers      string
		next         Next
		err          error
	}{
		{"pipelined", "S: 220 a\nC: EHLO c\nS: 250-a\nS: 250 PIPELINING\nC: MAIL FROM:<>\nC: RCPT TO:<a>\nC: DATA\nS: 250 a\nS: 550 b\nS: 354 c",
			Strict, "greeting@0! EHLO@1 EHLO@1! MAIL@4! RCPT@5! DATA@6!", Text, nil},
		{"waits", "S: 220 a\nC: RCPT TO:<a>\nC: DATA\nS: 250 a", Strict, "greeting@0! RCPT@1!", Wait, nil},
		{"DATA refused", "S: 220 a\nC: DATA\nS: 503 a", Strict, "greeting@0! DATA@1!", Line, nil},
		{"content", "S: 220 a\nC: DATA\nS: 354 a\nC. \nC: QUIT\nS: 250 a\nS: 221 b", Strict, "greeting@0! DATA@1! message@3! QUIT@4!", Line, nil},
		{"chunk", "S: 220 a\nC: BDAT 10\nS: 250 a", Strict, "greeting@0! BDAT@1!", Chunk, nil},
		{"last chunk, empty", "S: 220 a\nC: BDAT 0 LAST\nS: 250 a", Strict, "greeting@0! message@1!", Line, nil},
		{"challenges", "S: 220 a\nC: AUTH LOGIN\nS: 334 a\nC> x\nS: 334 b\nC> y\nS: 235 c", Strict, "greeting@0! AUTH@1 AUTH@1 AUTH@1!", Line, nil},
		{"a challenge", "S: 220 a\nC: AUTH LOGIN\nS: 334 a", Strict, "greeting@0! AUTH@1", Response, nil},
		{"a response waits", "S: 220 a\nC: AUTH LOGIN\nS: 334 a\nC> x", Strict, "greeting@0! AUTH@1", Wait, nil},
		{"STARTTLS", "S: 220 a\nC: STARTTLS\nS: 454 a", Strict, "greeting@0! STARTTLS@1!", Line, nil},
		{"the greeting is no answer", "C: EHLO c\nS: 554 a\nS: 250 b", Strict, "greeting@0! EHLO@0!", Line, nil},
		{"the greeting was not followed", "C: EHLO c\nS: 250 b", Loose, "EHLO@0!", Line, nil},
		{"a late greeting", "C: EHLO c\nS: 220 a\nS: 250 b", Loose, "greeting@0! EHLO@0!", Line, nil},
		{"nobody asked", "S: 220 a\nS: 421 b", Strict, "greeting@0! none@0!", Line, nil},
		{"no reply", "S: 220 a\nS: hello", Strict, "greeting@0!", Line, ErrReply},
		{"codes change", "S: 220-a\nS: 250 b", Strict, "greeting@0", Line, ErrCodeChange},
		{"codes change, watched", "S: 220-a\nS: 250 b", Loose, "greeting@0 greeting@0!", Line, nil},
		{"content is asked for", "S: 220 a\nC: NOOP\nS: 354 b", Strict, "greeting@0!", Line, ErrUnasked},
		{"content is asked for, watched", "S: 220 a\nC: NOOP\nS: 354 b", Loose, "greeting@0! NOOP@1!", Line, nil},
		{"the server ends content elsewhere", "S: 220 a\nC: DATA\nS: 354 b\nC_x|.|\nS: 250 c\nC: NOOP\nS: 250 d", Loose, "greeting@0! DATA@1! message@3! NOOP@5!", Line, nil},
		{"and the client goes on before", "S: 220 a\nC: DATA\nS: 354 b\nC_x|.|NOOP|\nS: 250 c", Loose, "greeting@0! DATA@1!", Text, ErrSmuggled},
		{"the server ends the session", "S: 220 a\nC: DATA\nS: 354 b\nC_x|.|NOOP|\nS: 421 c", Loose, "greeting@0! DATA@1! none@0!", Text, nil},
		{"too many", "S: 220 a" + strings.Repeat("\nC: NOOP", pipeline.Max+1), Strict, "greeting@0!", Line, ErrOutstanding},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := &Dialogue[int]{Strictness: tt.strictness}
			answers, err := follow(t, d, tt.script)
			if answers != tt.answers || !errors.Is(err, tt.err) || d.Next() != tt.next {
				t.Errorf("answers %s, next %d, %v", answers, d.Next(), err)
			}
		})
	}
}

func TestSettled(t *testing.T) {
	d := new(Dialogue[int])
	for _, tt := range []struct {
		line    string
		awaited Verb
		settled bool
	}{
		{"S: 220-a", Greeting, false}, {"S: 220 b", None, true}, {"C: NOOP", NOOP, false}, {"C: AUTH X", NOOP, false},
		{"S: 250 a", AUTH, false}, {"S: 334 b", AUTH, false}, {"S: 501-c", AUTH, false}, {"S: 501 c", None, true},
	} {
		if _, err := follow(t, d, tt.line); err != nil || d.Awaited() != tt.awaited || d.Settled() != tt.settled {
			t.Errorf("%s: awaits %v, settled %v, %v", tt.line, d.Awaited(), d.Settled(), err)
		}
	}
}
