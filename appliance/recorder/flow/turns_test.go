package flow

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/clearspan/clearspan/decrypt/proto"
)

// TestTurns: where segments are lost, the octets of both ends come in the order in which they
// were said.
func TestTurns(t *testing.T) {
	const c, s = proto.ClientToOrigin, proto.OriginToClient
	for _, tt := range []struct {
		name string
		lost []int // of the frames behind the handshake
		swap int   // this one comes behind the next one; 0: none
		want string
	}{
		{"all", nil, 0, ">one <1 <2 >two <3 >three <4"},
		{"a part of an answer", []int{1}, 0, ">one <?1 <2 >two <3 >three <4"},
		{"the end of an answer", []int{2}, 0, ">one <1 <?1 >two <3 >three <4"},
		{"a request", []int{3}, 0, ">one <1 <2 >?3 <3 >three <4"},
		{"an answer and the next request", []int{1, 3}, 0, ">one <?1 <2 >?3 <3 >three <4"},
		{"an answer behind the next request", nil, 1, ">one <1 <2 >two <3 >three <4"},
		{"an acknowledged request behind its answer", nil, 3, ">one <1 <2 >two <3 >three <4"},
	} {
		var frames [][]byte
		next := [2]uint32{1000, 5000}
		for _, x := range []struct {
			dir   proto.Direction
			flags byte
			text  string
		}{{c, flagSYN, ""}, {s, flagSYN | flagACK, ""}, {c, flagACK, "one"}, {s, flagACK, "1"}, {s, flagACK, "2"}, {c, flagACK, "two"}, {s, flagACK, "3"}, {c, flagACK, "three"}, {s, flagACK, "4"}} {
			frames = append(frames, frame(x.dir, next[x.dir], next[x.dir.Opposite()], x.flags, []byte(x.text)))
			next[x.dir] += uint32(len(x.text))
			if x.flags&flagSYN != 0 {
				next[x.dir]++
			}
		}
		if i := 2 + tt.swap; tt.swap > 0 {
			frames[i], frames[i+1] = frames[i+1], frames[i]
		}
		heard := &turns{}
		table := New(Config{}, heard)
		for i, f := range frames {
			if !slices.Contains(tt.lost, i-2) {
				table.Add(Frame{Octets: f, At: time.Unix(1_800_000_000, int64(i)), Link: linkEthernet})
			}
		}
		table.Close()
		if got := strings.TrimSpace(heard.String()); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

// TestAnswerFirst: a SYN that comes behind its answer begins no other session.
func TestAnswerFirst(t *testing.T) {
	heard := &turns{}
	table := New(Config{}, heard)
	const c, s = proto.ClientToOrigin, proto.OriginToClient
	for i, f := range [][]byte{
		frame(s, 5000, 1001, flagSYN|flagACK, nil), frame(c, 1000, 0, flagSYN, nil),
		frame(s, 5001, 1004, flagACK, []byte("1")), frame(c, 1001, 5001, flagACK, []byte("one")), frame(c, 1004, 5002, flagACK, []byte("two")),
	} {
		table.Add(Frame{Octets: f, At: time.Unix(1_800_000_000, int64(i)), Link: linkEthernet})
	}
	table.Close()
	if got := strings.TrimSpace(heard.String()); got != ">one <1 >two" || table.Tally().Sessions != 1 {
		t.Errorf("%s in %d sessions", got, table.Tally().Sessions)
	}
}

// TestFalseAcknowledgement: an end that claims to have octets that nobody sent hides none.
func TestFalseAcknowledgement(t *testing.T) {
	heard := &turns{}
	table := New(Config{}, heard)
	const c, s = proto.ClientToOrigin, proto.OriginToClient
	add := func(i int, f []byte) {
		table.Add(Frame{Octets: f, At: time.Unix(1_800_000_000+int64(i), 0), Link: linkEthernet})
	}
	add(0, frame(c, 1000, 0, flagSYN, nil))
	add(0, frame(s, 5000, 1001, flagSYN|flagACK, nil))
	add(0, frame(s, 5001, 900_000_000, flagACK, []byte("1")))
	add(5, frame(s, 5002, 900_000_000, flagACK, []byte("2")))
	add(5, frame(s, 5003, 900_000_000, flagACK, []byte("3")))
	add(6, frame(c, 1001, 5001, flagACK, []byte("one")))
	table.Close()
	if got := strings.TrimSpace(heard.String()); got != "<1 <2 <3 >one" {
		t.Error(got)
	}
}

// TestDialogue: a dialogue that lost a segment goes on before it ends.
func TestDialogue(t *testing.T) {
	heard := &turns{}
	table := New(Config{}, heard)
	next := [2]uint32{1000, 5000}
	want := ""
	for i := range 60 {
		dir := proto.Direction(i % 2)
		text := fmt.Sprintf("%02d", i)
		f := frame(dir, next[dir], next[dir.Opposite()], flagACK, []byte(text))
		next[dir] += 2
		switch i {
		case 2:
			continue
		case 3: // the answer to what is lost
			want += ">?2 "
		}
		want += [2]string{">", "<"}[dir] + text + " "
		table.Add(Frame{Octets: f, At: time.Unix(1_800_000_000, int64(i)), Link: linkEthernet})
	}
	if got := heard.String(); got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
}

// turns writes down what both directions say.
type turns struct{ strings.Builder }

func (x *turns) Open(*Session) Stream { return x }
func (x *turns) Data(dir proto.Direction, p []byte) {
	fmt.Fprintf(x, "%s%s ", [2]string{">", "<"}[dir], p)
}
func (x *turns) Gap(dir proto.Direction, n uint64) {
	fmt.Fprintf(x, "%s?%d ", [2]string{">", "<"}[dir], n)
}
func (x *turns) End(proto.Direction) {}
func (x *turns) Close()              {}
