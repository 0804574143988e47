package mirror_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/clearspan/clearspan/mirror"
	"github.com/clearspan/clearspan/mirror/conformance"
	"github.com/clearspan/clearspan/mirror/mirrortest"
	"pgregory.net/rapid"
)

// script drives a conversation by numbers from next and judges the outcome.
type script struct {
	next     func(bound int) int
	recorder *mirrortest.Recorder
	now      time.Time
	given    [2]uint64
	streams  [2][]byte // what would be seen if nothing were lost
	lossy    bool
	raw      []byte
}

var lossErrors = []error{mirror.ErrFull, mirror.ErrNoLink, mirror.ErrStorage, mirror.ErrNoReader, mirror.ErrClosed, mirror.ErrTooLong, errors.New("unforeseen")}

func run(next func(bound int) int, lossy bool) error {
	s := &script{next: next, recorder: &mirrortest.Recorder{}, now: time.UnixMilli(1 << 41), lossy: lossy, raw: random(200_000)}
	failing := false
	if lossy {
		s.recorder.Fail = func(frames []mirror.Frame) (int, error) {
			if !failing || s.next(3) == 0 {
				return len(frames), nil
			}
			n := s.next(len(frames))
			if segments := frames[n].Segments(); segments > 1 {
				frames[n].Advance(s.next(segments))
			}
			return n, lossErrors[s.next(len(lossErrors))]
		}
	}
	mtus := []int{1500, 576, 9000, 1499, 0, 65535, 100}
	s.recorder.SetMTU(mtus[s.next(len(mtus))])
	limits := []int{0, 65535, 16384, 3000, 700}
	s.recorder.SetSegmentLimit(limits[s.next(len(limits))])
	flow := flow4
	if s.next(2) == 1 {
		flow = flow6
	}
	flow.VLAN = uint16(s.next(4096))
	isn := uint32(s.next(1<<16))<<16 | uint32(s.next(1<<16))
	opts := mirror.Options{
		Now: func() time.Time { return s.now },
		ISN: func() uint32 { isn += 0x7fffffff; return isn },
	}
	c := mirror.Open(s.recorder, flow, opts)
	for range 10 + s.next(40) {
		dir := mirror.Direction(s.next(2))
		operations := 6
		if lossy {
			operations = 13
		}
		switch s.next(operations) {
		case 0, 1:
			s.data(c, dir, s.next(3000))
		case 2:
			s.data(c, dir, s.next(len(s.raw)))
		case 3:
			c.Note(fmt.Sprint("note ", s.next(100)))
		case 4:
			s.now = s.now.Add(time.Duration(s.next(5000)-1000) * time.Millisecond)
		case 5:
			if s.next(4) == 0 {
				c.End(dir)
			}
		case 6, 7:
			failing = !failing
		case 8:
			s.recorder.SetIdle(s.next(2) == 1)
		case 9:
			n := uint64(s.next(1 << 20))
			if s.next(4) == 0 {
				n <<= 24
			}
			c.Skip(dir, n, "skipped")
			s.given[dir] += n
		case 10:
			s.recorder.SetMTU(mtus[s.next(len(mtus))])
		case 11:
			s.recorder.SetSegmentLimit(limits[s.next(len(limits))])
		case 12:
			if s.next(8) == 0 {
				c.Reset(dir)
			}
		}
	}
	return s.judge(c.Close())
}

func (s *script) data(c *mirror.Conversation, dir mirror.Direction, n int) {
	p := s.raw[:n]
	before := c.Account().Lost[mirror.ReasonEnded][dir]
	c.Data(dir, p)
	s.given[dir] += uint64(n)
	if c.Account().Lost[mirror.ReasonEnded][dir] == before {
		s.streams[dir] = append(s.streams[dir], p...)
	}
}

func (s *script) judge(account mirror.Account) error {
	frames := s.recorder.Frames()
	a := mirrortest.NewAnalyzer(mirrortest.Options{})
	for _, frame := range frames {
		a.Add(frame)
	}
	conversations, findings := a.Finish()
	for _, c := range conversations {
		findings = append(findings, c.Findings...)
	}
	for _, finding := range findings {
		// Lost frames may belong to the handshake or the end.
		if s.lossy && (finding.Kind == mirrortest.BadHandshake || finding.Kind == mirrortest.NoEnd) {
			continue
		}
		return fmt.Errorf("%s (of %d frames)", finding, len(frames))
	}
	if err := s.conform(frames, conversations); err != nil {
		return err
	}
	if len(conversations) > 1 || !s.lossy && len(conversations) != 1 {
		return fmt.Errorf("%d conversations", len(conversations))
	}
	if account.Frames != uint64(len(frames)) || account.FramesLost != uint64(s.recorder.Refused()) {
		return fmt.Errorf("%d frames delivered and %d lost, sink took %d and refused %d", account.Frames, account.FramesLost, len(frames), s.recorder.Refused())
	}
	for dir := range s.given {
		if got := account.Octets[dir] + account.LostOctets(mirror.Direction(dir)); got != s.given[dir] {
			return fmt.Errorf("direction %d: %d delivered + %d lost, %d given", dir, account.Octets[dir], account.LostOctets(mirror.Direction(dir)), s.given[dir])
		}
		var seen []byte
		if len(conversations) == 1 {
			seen = conversations[0].Streams[dir]
		}
		if uint64(len(seen)) != account.Octets[dir] {
			return fmt.Errorf("direction %d: %d octets in the frames, %d accounted", dir, len(seen), account.Octets[dir])
		}
		if !s.lossy && !bytes.Equal(seen, s.streams[dir]) {
			return fmt.Errorf("direction %d: stream of %d octets differs from the %d given", dir, len(seen), len(s.streams[dir]))
		}
	}
	return nil
}

// conform holds package conformance's judgement against that of mirrortest, which
// has another parser and another reassembly.
func (s *script) conform(frames [][]byte, conversations []mirrortest.Conversation) error {
	r := mirrortest.Conform(frames)
	var gaps uint64
	for _, c := range conversations {
		for _, direction := range c.Gaps {
			for _, gap := range direction {
				gaps += gap.Length
			}
		}
	}
	for _, rule := range r.Broken(conformance.Fail) {
		declared := rule == conformance.Gap.String() && gaps > 0
		// Lost frames may belong to the handshake or the end, or be all of one side.
		lost := s.lossy && slices.Contains([]string{"handshake", "end", "one-sided", "no-ack"}, rule)
		if !declared && !lost {
			return fmt.Errorf("not conforming: %s (of %d frames)", rule, len(frames))
		}
	}
	// One octet that was acknowledged and never came may have been a FIN.
	if r.Missing > gaps || gaps-r.Missing > 2*uint64(len(conversations)) {
		return fmt.Errorf("%d octets missing, %d in gaps", r.Missing, gaps)
	}
	return nil
}

func TestAnySequenceIsCleanAndComplete(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		if err := run(func(bound int) int { return rapid.IntRange(0, bound-1).Draw(t, "n") }, false); err != nil {
			t.Fatal(err)
		}
	})
}

func TestAnyLossIsAccounted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		if err := run(func(bound int) int { return rapid.IntRange(0, bound-1).Draw(t, "n") }, true); err != nil {
			t.Fatal(err)
		}
	})
}

func FuzzConversation(f *testing.F) {
	f.Add([]byte{}, false)
	f.Add(random(400), false)
	f.Add(random(401), true)
	f.Add(bytes.Repeat([]byte{11, 0, 9, 200}, 50), true)
	f.Fuzz(func(t *testing.T, numbers []byte, lossy bool) {
		next := func(bound int) int {
			n := 0
			for size := bound - 1; size > 0 && len(numbers) > 0; size >>= 8 {
				n = n<<8 | int(numbers[0])
				numbers = numbers[1:]
			}
			return n % bound
		}
		if err := run(next, lossy); err != nil {
			t.Fatal(err)
		}
	})
}
