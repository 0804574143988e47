package starttls

import (
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/clearspan/clearspan/decrypt/sniff"
	"github.com/google/go-cmp/cmp"
)

// scenario is a dialogue and what becomes of it.
type scenario struct {
	name     string
	protocol sniff.Protocol
	dialogue string
	turns    []turn // in place of dialogue
	state    State
	offered  bool
	offer    Offer       // at the end; judged only if it or turns is set
	hidden   [2][]string // what a recorder is not shown, by direction, in order
	pending  [2]string   // not relayed at the end
	oneRead  bool        // what is tested is that octets arrive together
}

// run plays the scenario whole, octet by octet and at random splits.
func (s scenario) run(t *testing.T) {
	turns := s.turns
	if turns == nil {
		turns = script(s.dialogue)
	}
	var sent [2]string
	for _, turn := range turns {
		dir := 0
		if turn.origin {
			dir = 1
		}
		sent[dir] += turn.octets
	}
	random := rand.New(rand.NewPCG(3, 4))
	cutters := []cutter{whole, single}
	for range 20 {
		cutters = append(cutters, func(n int) int { return 1 + random.IntN(min(n, 40)) })
	}
	if s.oneRead {
		cutters = cutters[:1]
	}
	for i, cut := range cutters {
		r := play(t, newDialogue(t, s.protocol), turns, cut)
		if r.state != s.state || r.d.Offered() != s.offered {
			t.Fatalf("split %d: state %v, offered %v, want %v, %v\n%v", i, r.state, r.d.Offered(), s.state, s.offered, r)
		}
		if got := r.d.Offer(); got != s.offer && (s.turns != nil || s.offer != Unknown) {
			t.Fatalf("split %d: the upgrade is %v, want %v\n%v", i, got, s.offer, r)
		}
		for dir := range sent {
			visible := sent[dir]
			for _, h := range s.hidden[dir] {
				before, after, ok := strings.Cut(visible, h)
				if !ok {
					t.Fatalf("%q is not in the dialogue", h)
				}
				visible = before + after
			}
			visible = strings.TrimSuffix(visible, s.pending[dir])
			if diff := cmp.Diff(visible, r.visible[dir]); diff != "" {
				t.Fatalf("split %d: visible in direction %d (-want +got):\n%s", i, dir, diff)
			}
			relayed := strings.TrimSuffix(sent[dir], s.pending[dir])
			if r.relayed[dir] != relayed {
				t.Fatalf("split %d: relayed in direction %d: %q, want %q", i, dir, r.relayed[dir], relayed)
			}
		}
	}
}

func TestNew(t *testing.T) {
	for p := range sniff.SOCKS + 1 {
		followed := false
		switch p {
		case sniff.SMTP, sniff.IMAP, sniff.POP3, sniff.Greeting220, sniff.FTP, sniff.LDAP, sniff.XMPP, sniff.PostgreSQL, sniff.MySQL:
			followed = true
		}
		if got := New(p) != nil; got != followed {
			t.Errorf("%q: followed %v, want %v", p, got, followed)
		}
	}
}

func TestLongLines(t *testing.T) {
	long := strings.Repeat("x", 3*maxLine)
	tests := []struct {
		name     string
		protocol sniff.Protocol
		client   bool
		octets   string
	}{
		{"client, no line end", sniff.SMTP, true, long},
		{"client, blanks", sniff.SMTP, true, strings.Repeat(" ", maxLine+1)},
		{"client, tag", sniff.IMAP, true, long},
		{"origin, no line end", sniff.SMTP, false, long},
		{"origin, tag", sniff.IMAP, false, long},
		{"origin, capabilities", sniff.IMAP, false, "* CAPABILITY " + long + " STARTTLS"},
		{"origin, capabilities, complete", sniff.IMAP, false, "* CAPABILITY " + long + " STARTTLS\r\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, cut := range []cutter{whole, single} {
				r := play(t, newDialogue(t, tt.protocol), []turn{{!tt.client, tt.octets}}, cut)
				if r.pending != [2]string{} || r.state != Following {
					t.Fatalf("%d and %d octets held, %v", len(r.pending[0]), len(r.pending[1]), r.state)
				}
				if r.visible[0]+r.visible[1] != tt.octets {
					t.Fatal("part of a long line was hidden")
				}
			}
		})
	}
}

// The octets that cannot matter are passed before their line is complete.
func TestHoldsLittle(t *testing.T) {
	tests := []struct {
		name     string
		protocol sniff.Protocol
		origin   bool
		octets   string
		held     string
	}{
		{"SMTP, other command", sniff.SMTP, false, "MAIL FROM", ""},
		{"SMTP, begins alike", sniff.SMTP, false, "ST", "ST"},
		{"SMTP, and goes on differently", sniff.SMTP, false, "STAT", ""},
		{"SMTP, greeting", sniff.SMTP, true, "220 mail", ""},
		{"IMAP, tag", sniff.IMAP, false, "a1", "a1"},
		{"IMAP, other command", sniff.IMAP, false, "a1 LO", ""},
		{"IMAP, greeting", sniff.IMAP, true, "* OK Dove", ""},
		{"IMAP, greeting with capabilities", sniff.IMAP, true, "* OK [CAP", "* OK [CAP"},
		{"IMAP, continuation", sniff.IMAP, true, "+", ""},
		{"POP3, other command", sniff.POP3, false, "STAT", ""},
		{"POP3, greeting", sniff.POP3, true, "+OK D", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := play(t, newDialogue(t, tt.protocol), []turn{{tt.origin, tt.octets}}, whole)
			if held := r.pending[0] + r.pending[1]; held != tt.held {
				t.Errorf("held %q, want %q", held, tt.held)
			}
		})
	}
}

// Octets whose meaning hangs on an answer stay with the caller, who is told so.
func TestHeldUntilAnswered(t *testing.T) {
	tests := []struct {
		name           string
		protocol       sniff.Protocol
		command, held  string
		answer, refuse string
	}{
		{"mail text", sniff.SMTP, "DATA\r\n", "text\r\n", "354 go\r\n", "503 no\r\n"},
		{"SMTP authentication", sniff.SMTP, "AUTH LOGIN\r\n", "YQ==\r\n", "334 \r\n", "535 no\r\n"},
		{"POP3 authentication", sniff.POP3, "AUTH LOGIN\r\n", "YQ==\r\n", "+ \r\n", "-ERR no\r\n"},
		{"IMAP authentication", sniff.IMAP, "a AUTHENTICATE LOGIN\r\n", "YQ==\r\n", "+ \r\n", "a NO no\r\n"},
		{"IMAP literal", sniff.IMAP, "a LOGIN {3}\r\n", "x y\r\n", "+ \r\n", "a NO no\r\n"},
	}
	for _, tt := range tests {
		for _, answer := range []string{tt.answer, tt.refuse} {
			t.Run(tt.name+", "+answer, func(t *testing.T) {
				d := newDialogue(t, tt.protocol)
				d.Origin([]byte(map[sniff.Protocol]string{sniff.SMTP: "220 a\r\n", sniff.POP3: "+OK\r\n", sniff.IMAP: "* OK\r\n"}[tt.protocol]), nil)
				if _, n, s := d.Client([]byte(tt.command+tt.held), nil); n != len(tt.command) || s != Requested {
					t.Fatalf("command: %d, %v", n, s)
				}
				if _, n, s := d.Client([]byte(tt.held), nil); n != 0 || s != Requested {
					t.Fatalf("held: %d, %v", n, s)
				}
				_, part, s := d.Origin([]byte(answer[:1]), nil)
				if s != Requested {
					t.Fatalf("part of the answer: %v", s)
				}
				if _, _, s := d.Origin([]byte(answer[part:]), nil); s == Requested {
					t.Fatalf("answer: %v", s)
				}
				if _, n, s := d.Client([]byte(tt.held), nil); n != len(tt.held) || s != Following {
					t.Fatalf("after the answer: %d, %v", n, s)
				}
			})
		}
	}
}

func TestUpgradedConsumesNothing(t *testing.T) {
	d := newDialogue(t, sniff.POP3)
	play(t, d, script("O: +OK\nC: STLS\nO: +OK"), whole)
	for range 2 {
		if spans, n, s := d.Client([]byte("\x16\x03\x01"), nil); len(spans) != 0 || n != 0 || s != Upgraded {
			t.Errorf("client: %v, %d, %v", spans, n, s)
		}
		if spans, n, s := d.Origin([]byte("\x16\x03\x03"), nil); len(spans) != 0 || n != 0 || s != Upgraded {
			t.Errorf("origin: %v, %d, %v", spans, n, s)
		}
	}
}

func TestConcurrentUse(t *testing.T) {
	d := newDialogue(t, sniff.SMTP)
	var both sync.WaitGroup
	both.Go(func() {
		for range 500 {
			d.Client([]byte("NOOP\r\n"), nil)
			d.Offered()
		}
	})
	both.Go(func() {
		for range 500 {
			d.Origin([]byte("250 ok\r\n"), nil)
			d.Protocol()
		}
	})
	both.Wait()
}

// The whole dialogue costs nothing per line once its buffers are there.
func TestFollowingDoesNotAllocate(t *testing.T) {
	for _, tt := range []struct {
		protocol       sniff.Protocol
		command, reply string
	}{
		{sniff.SMTP, "RCPT TO:<a@b.test>\r\n", "250 2.1.5 Ok\r\n"},
		{sniff.FTP, "NOOP\r\n", "200 ok\r\n"},
		{sniff.LDAP, ldapBind, ldapBound},
		{sniff.XMPP, "<message to='a@b.test'>x</message>", "<presence/>"},
	} {
		d := newDialogue(t, tt.protocol)
		spans := make([]Span, 0, 8)
		command, reply := []byte(tt.command), []byte(tt.reply)
		if n := testing.AllocsPerRun(100, func() {
			d.Client(command, spans)
			d.Origin(reply, spans)
		}); n > 0 {
			t.Errorf("%v: %v allocations", tt.protocol, n)
		}
	}
}
