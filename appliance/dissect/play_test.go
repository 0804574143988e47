package dissect_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/clearspan/clearspan/appliance/dissect"
	"github.com/clearspan/clearspan/decrypt/proto"
)

// step is what happens in one direction.
type step struct {
	dir  proto.Direction
	text string
	lost uint64 // octets; if not 0, text is empty
	end  bool

	midway bool // the beginning is missing
}

func up(text string) step    { return step{dir: proto.ClientToOrigin, text: text} }
func down(text string) step  { return step{dir: proto.OriginToClient, text: text} }
func upLost(n uint64) step   { return step{dir: proto.ClientToOrigin, lost: n} }
func downLost(n uint64) step { return step{dir: proto.OriginToClient, lost: n} }
func midway() step           { return step{midway: true} }
func upEnd() step            { return step{dir: proto.ClientToOrigin, end: true} }
func downEnd() step          { return step{dir: proto.OriginToClient, end: true} }

// script writes down what a session calls: a line for each event, with the content
// at its end. Holes are runs of question marks.
type script struct {
	lines   []string
	content map[string]*strings.Builder
}

func arrow(dir proto.Direction) string { return [2]string{">", "<"}[dir] }

func (s *script) of(x *dissect.Exchange, dir proto.Direction) *strings.Builder {
	key := fmt.Sprint(x.Number, arrow(dir))
	if s.content == nil {
		s.content = make(map[string]*strings.Builder)
	}
	if s.content[key] == nil {
		s.content[key] = new(strings.Builder)
	}
	return s.content[key]
}

func (s *script) Content(x *dissect.Exchange, dir proto.Direction, p []byte) { s.of(x, dir).Write(p) }
func (s *script) Hole(x *dissect.Exchange, dir proto.Direction, n uint64) {
	s.of(x, dir).WriteString(strings.Repeat("?", int(min(n, 100))))
}

func (s *script) Event(e dissect.Event) {
	line := ""
	switch e := e.(type) {
	case *dissect.Request:
		if e.Exchange == nil {
			line = "request"
			break
		}
		line = strings.TrimRight(fmt.Sprintf("request %d %s %s %s", e.Number, e.Method, e.Path, e.Host.Name), " ")
		if e.Host.Doubt.Doubtful() {
			line += " (" + e.Host.Doubt.String() + ")"
		}
		line += fields(" type=", e.Fields.Get("content-type"))
	case *dissect.Answer:
		line = fmt.Sprintf("answer %d %d", e.Number, e.Status) + fields(" type=", e.Fields.Get("content-type"))
	case *dissect.Sender:
		line = fmt.Sprintf("sender <%s>", e.Address)
	case *dissect.Recipient:
		line = fmt.Sprintf("recipient <%s>", e.Address)
	case *dissect.Message:
		line = fmt.Sprintf("message %d", e.Number)
		if e.Fetched {
			line += " fetched"
		}
	case *dissect.Header:
		line = fmt.Sprintf("header %d", e.Number) + fields(" subject=", []byte(e.Text("subject"))) + fields(" id=", e.Get("message-id"))
	case *dissect.Reply:
		line = fmt.Sprintf("reply %d %d", e.Number, e.Code)
	case *dissect.End:
		line = fmt.Sprintf("end %d %s %s %d", e.Number, arrow(e.Direction), e.How, e.Octets)
		if e.Lost > 0 {
			line += fmt.Sprintf("-%d", e.Lost)
		}
		if c := s.of(e.Exchange, e.Direction).String(); c != "" {
			line += fmt.Sprintf(" %q", c)
		}
	case *dissect.Part:
		line = fmt.Sprintf("part %d %s %q", e.Number, e.Section, e.Header)
	case *dissect.WebSocket:
		line = fmt.Sprintf("socket %d %s text=%v of %d", e.Number, arrow(e.Direction), e.Text, e.Opening)
	case *dissect.Login:
		line = fmt.Sprintf("login %s %s %s", e.Mechanism, e.User, e.Outcome)
	case *dissect.Channel:
		line = fmt.Sprintf("channel %v %d %v", e.Address, e.Port, e.Active)
	case *dissect.Command:
		line = fmt.Sprintf("command %s %s %s %v", e.Verb, arrow(e.Direction), e.Name, e.File)
	case *dissect.Transfer:
		line = fmt.Sprintf("transfer %s %s %d", arrow(e.Direction), e.Name, e.Code)
	case *dissect.File:
		line = fmt.Sprintf("file %d %q %q %q %d new=%v", e.Number, e.User, e.Share, e.Path, e.Size, e.New)
	case *dissect.Change:
		line = fmt.Sprintf("change %q %q %q %q", e.User, e.Share, e.Path, e.To)
	case *dissect.Lookup:
		line = fmt.Sprintf("lookup %s %s %v %d %s", e.Name, e.Type, e.Answered, e.Code, e.Answers)
	case *dissect.TLS:
		line = fmt.Sprintf("tls %s %s %s %s %s %q", e.ServerName, e.ALPN, e.JA4, e.Version, e.Suite, e.Alert)
		if e.Certificate != nil {
			line += fmt.Sprintf(" %s %s %x", e.Certificate.Subject, e.Certificate.Names, e.Certificate.Fingerprint[:4])
		}
	case *dissect.Holder:
		line = fmt.Sprintf("holder %s %v %s %q %q %d %v", e.Source, e.Address, e.MAC, e.Host, e.User, e.Seconds, e.Asked)
	case *dissect.Stop:
		line = "stop " + e.Cause.String()
	}
	s.lines = append(s.lines, line)
}

func fields(name string, value []byte) string {
	if len(value) == 0 {
		return ""
	}
	return name + string(value)
}

// play feeds a session with steps and returns its script.
func play(piece int, steps ...step) string {
	s := new(script)
	d := dissect.New(s, s)
	if len(steps) > 0 && steps[0].midway {
		d.Midway()
	}
	feed(d, piece, steps...)
	return strings.Join(s.lines, "\n") + "\n"
}

// feed hands over steps, cut in pieces of that size (0: whole), and closes the session.
func feed(d *dissect.Session, piece int, steps ...step) {
	for _, st := range steps {
		for b := []byte(st.text); len(b) > 0; {
			n := len(b)
			if piece > 0 {
				n = min(n, piece)
			}
			d.Data(st.dir, bytes.Clone(b[:n]))
			b = b[n:]
		}
		if d.Gap(st.dir, st.lost); st.end {
			d.End(st.dir)
		}
	}
	d.Close()
}

// row is what a session says, and its script.
type row struct {
	name  string
	want  string // a line for each event; blanks before a line do not count
	steps []step
}

// run plays the rows in several cuts.
func run(t *testing.T, rows []row) {
	t.Helper()
	for _, tt := range rows {
		t.Run(tt.name, func(t *testing.T) {
			var want strings.Builder
			for line := range strings.Lines(tt.want) {
				if line = strings.TrimSpace(line); line != "" {
					want.WriteString(line + "\n")
				}
			}
			for _, piece := range []int{0, 1, 2, 3, 5, 7, 64, 1000} {
				if diff := cmp.Diff(want.String(), play(piece, tt.steps...)); diff != "" {
					t.Fatalf("in pieces of %d (-want +got):\n%s", piece, diff)
				}
			}
		})
	}
}
