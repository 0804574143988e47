package mirror_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/clearspan/clearspan/mirror"
	"github.com/clearspan/clearspan/mirror/mirrortest"
	"github.com/google/go-cmp/cmp"
)

var flagNames = []struct {
	bit  uint8
	name string
}{{mirrortest.SYN, "S"}, {mirrortest.FIN, "F"}, {mirrortest.RST, "R"}, {mirrortest.PSH, "P"}, {mirrortest.ACK, "."}}

// shape writes frames in one line: ">" from the client, "<" from the origin,
// flags as tcpdump prints them.
func shape(t *testing.T, frames [][]byte) string {
	t.Helper()
	var words []string
	for _, s := range decode(t, frames) {
		word := "<"
		if s.Source == flow4.Client {
			word = ">"
		}
		for _, flag := range flagNames {
			if s.Flags&flag.bit != 0 {
				word += flag.name
			}
		}
		words = append(words, word)
	}
	return strings.Join(words, " ")
}

func TestEndings(t *testing.T) {
	const hello = ">S <S. >. "
	data := func(dir mirror.Direction) func(*mirror.Conversation) {
		return func(c *mirror.Conversation) { c.Data(dir, []byte("octets")) }
	}
	end := func(dir mirror.Direction) func(*mirror.Conversation) {
		return func(c *mirror.Conversation) { c.End(dir) }
	}
	reset := func(dir mirror.Direction) func(*mirror.Conversation) {
		return func(c *mirror.Conversation) { c.Reset(dir) }
	}
	closing := func(c *mirror.Conversation) { c.Close() }
	type steps []func(*mirror.Conversation)
	for _, tt := range []struct {
		name  string
		steps steps
		want  string
		late  [2]uint64 // octets lost as "ended"
	}{
		{"nothing at all", nil, hello + ">F. <F. >.", [2]uint64{}},
		{"closed in the middle", steps{data(toOrigin)}, hello + ">P. >F. <F. >.", [2]uint64{}},
		{"client ends first", steps{data(toOrigin), end(toOrigin), end(toClient)}, hello + ">P. >F. <. <F. >.", [2]uint64{}},
		{"origin ends first", steps{data(toClient), end(toClient), end(toOrigin)}, hello + "<P. <F. >. >F. <.", [2]uint64{}},
		{"half-close", steps{end(toOrigin), data(toClient), data(toClient), end(toClient)}, hello + ">F. <. <P. <P. <F. >.", [2]uint64{}},
		{"ended twice", steps{end(toOrigin), end(toOrigin)}, hello + ">F. <. <F. >.", [2]uint64{}},
		{"data after the end", steps{end(toOrigin), data(toOrigin)}, hello + ">F. <. <F. >.", [2]uint64{6, 0}},
		{"handshake refused", steps{reset(toOrigin)}, hello + ">R.", [2]uint64{}},
		{"client resets", steps{data(toClient), reset(toOrigin)}, hello + "<P. >R.", [2]uint64{}},
		{"own data acknowledged before RST", steps{data(toOrigin), reset(toOrigin)}, hello + ">P. <. >R.", [2]uint64{}},
		{"origin resets after the client's FIN", steps{end(toOrigin), reset(toClient)}, hello + ">F. <. <R.", [2]uint64{}},
		{"client resets after its own FIN", steps{end(toOrigin), data(toClient), reset(toOrigin)}, hello + ">F. <. <P. >R.", [2]uint64{}},
		{"reset after both ends", steps{end(toOrigin), end(toClient), reset(toOrigin)}, hello + ">F. <. <F. >.", [2]uint64{}},
		{"reset twice", steps{reset(toClient), reset(toOrigin)}, hello + "<R.", [2]uint64{}},
		{"all after a reset", steps{reset(toClient), data(toOrigin), end(toOrigin), data(toClient)}, hello + "<R.", [2]uint64{6, 6}},
		{"all after Close", steps{closing, data(toOrigin), end(toOrigin), reset(toClient)}, hello + ">F. <F. >.", [2]uint64{6, 0}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			recorder := &mirrortest.Recorder{}
			c := mirror.Open(recorder, flow4, mirror.Options{})
			for _, step := range tt.steps {
				step(c)
			}
			account := c.Close()
			if diff := cmp.Diff(account, c.Close()); diff != "" {
				t.Errorf("second Close differs:\n%s", diff)
			}
			if got := shape(t, recorder.Frames()); got != tt.want {
				t.Errorf("frames\n got %s\nwant %s", got, tt.want)
			}
			if got := account.Lost[mirror.ReasonEnded]; got != tt.late {
				t.Errorf("lost %v, want %v", got, tt.late)
			}
			checkClean(t, recorder.Frames())
		})
	}
}

func TestHalfCloseCarriesMuchData(t *testing.T) {
	recorder := &mirrortest.Recorder{}
	c := mirror.Open(recorder, flow6, mirror.Options{})
	c.Data(toOrigin, []byte("request"))
	c.End(toOrigin)
	want := random(300_000)
	c.Data(toClient, want)
	c.Close()
	checkClean(t, recorder.Frames())
	if got := one(t, recorder.Frames()); !bytes.Equal(got.Streams[1], want) || !got.Ended {
		t.Errorf("%d octets, ended %t", len(got.Streams[1]), got.Ended)
	}
}
