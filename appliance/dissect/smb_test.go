package dissect_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/clearspan/clearspan/appliance/dissect"
	"github.com/clearspan/clearspan/appliance/recorder/rowstest"
	"github.com/clearspan/clearspan/decrypt/proto"
)

// shareTalks returns what the ends say in the rows with SMB. Octets of files are left out, but
// a few.
func shareTalks() (talks [][]step) {
	for _, row := range rowstest.Rows() {
		if !strings.HasPrefix(row.Name, "smb") || len(row.Files[0].Octets) > 1<<20 {
			continue
		}
		var steps []step
		for _, s := range row.Talks[0].Steps {
			steps = append(steps, step{dir: s.From, text: string(s.Octets)})
			if s.Lose > 0 {
				steps = append(steps, step{dir: s.From, lost: uint64(s.Lose)})
			}
		}
		talks = append(talks, steps)
	}
	return talks
}

// TestShareInPieces: what is told does not depend on where octets are cut.
func TestShareInPieces(t *testing.T) {
	for _, steps := range shareTalks() {
		whole := play(0, steps...)
		if !strings.Contains(whole, "\nend 1 > complete ") || !strings.Contains(whole, "stop ended") && !strings.Contains(whole, "stop gap") {
			t.Errorf("%.1000s", whole)
		}
		for _, piece := range []int{1, 3, 64, 1000, 1460} {
			if diff := cmp.Diff(whole, play(piece, steps...)); diff != "" {
				t.Fatalf("in pieces of %d (-whole +cut):\n%.3000s", piece, diff)
			}
		}
	}
}

// TestShareBehindAGap: behind a gap anywhere, reading goes on at the next packet: a file that
// is written in one piece of three lacks one piece at most.
func TestShareBehindAGap(t *testing.T) {
	steps := shareTalks()[0]
	var octets int
	for _, s := range steps {
		if s.dir == proto.ClientToOrigin {
			octets += len(s.text)
		}
	}
	for at := 0; at < octets; at += 997 {
		left := at
		cut := []step{}
		for _, s := range steps {
			if s.dir == proto.ClientToOrigin && left >= 0 {
				if left < len(s.text) {
					lost := min(300, len(s.text)-left)
					cut = append(cut, up(s.text[:left]), upLost(uint64(lost)), up(s.text[left+lost:]))
					left = -1
					continue
				}
				left -= len(s.text)
			}
			cut = append(cut, s)
		}
		c := &placed{}
		d := dissect.New(c, c)
		feed(d, 1460, cut...)
		if c.octets < 150_000-50_000 && at > len(steps[0].text)+len(steps[2].text) {
			t.Fatalf("%d octets behind a gap at %d", c.octets, at)
		}
	}
}

// placed counts octets of files.
type placed struct{ octets int }

func (p *placed) Event(dissect.Event) {}
func (p *placed) Content(_ *dissect.Exchange, _ proto.Direction, b []byte) {
	p.octets += len(b)
}
func (p *placed) Hole(*dissect.Exchange, proto.Direction, uint64) {}
func (p *placed) ContentAt(_ *dissect.Exchange, _ proto.Direction, _ uint64, b []byte) {
	p.octets += len(b)
}
func (p *placed) HoleAt(*dissect.Exchange, proto.Direction, uint64, uint64) {}

// FuzzShare: whatever two ends say by SMB, nothing breaks, and what is told does not depend
// on where octets are cut.
func FuzzShare(f *testing.F) {
	for _, steps := range shareTalks() {
		var both [2][]byte
		for _, s := range steps {
			if len(s.text) < 1000 {
				both[s.dir] = append(both[s.dir], s.text...)
			}
		}
		f.Add(both[0], both[1], byte(7), uint16(300), uint16(5))
	}
	f.Fuzz(func(t *testing.T, client, origin []byte, cut byte, at, lost uint16) {
		if len(client) < 9 || string(client[4:8]) != "\xfeSMB" || client[0] != 0 || client[1] != 0 {
			return
		}
		n := min(int(at), len(client))
		steps := []step{up(string(client[:n])), upLost(uint64(lost)), up(string(client[n:])), down(string(origin))}
		if n < 9 {
			steps = []step{up(string(client)), down(string(origin))}
		}
		if diff := cmp.Diff(play(0, steps...), play(int(cut)+1, steps...)); diff != "" {
			t.Errorf("in pieces of %d (-whole +cut):\n%s", int(cut)+1, diff)
		}
	})
}
