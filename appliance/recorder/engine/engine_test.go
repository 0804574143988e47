package engine

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/clearspan/clearspan/appliance/recorder/flow"
	"github.com/clearspan/clearspan/decrypt/proto"
	"github.com/clearspan/clearspan/mirror"
)

// heard is what a table told of one session.
type heard struct {
	Octets [2][]byte
	Gaps   [2]uint64
	Ends   [2]bool
	Closed bool
	Reset  bool
	s      *flow.Session
}

func (h *heard) Data(dir proto.Direction, p []byte) { h.Octets[dir] = append(h.Octets[dir], p...) }
func (h *heard) Gap(dir proto.Direction, n uint64)  { h.Gaps[dir] += n }
func (h *heard) End(dir proto.Direction)            { h.Ends[dir] = true }
func (h *heard) Close()                             { h.Closed, h.Reset = true, h.s.Flags&flow.Reset != 0 }

// listener keeps what it is told.
type listener struct{ list []*heard }

func (l *listener) Open(s *flow.Session) flow.Stream {
	h := &heard{s: s}
	l.list = append(l.list, h)
	return h
}

var (
	client = netip.MustParseAddrPort("192.0.2.1:40000")
	server = netip.MustParseAddrPort("[2001:db8::1]:443")
	began  = time.Unix(1_796_000_000, 0)
)

// store is a recorder's memory: what was flushed survives its death.
type store struct {
	mu      sync.Mutex
	taken   [][]byte
	flushed int
}

func (s *store) receiver() *Receiver {
	return &Receiver{
		Take: func(p []byte, _ time.Time, _ string) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.taken = append(s.taken, bytes.Clone(p))
		},
		Flush: func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.flushed = len(s.taken)
		},
	}
}

// die loses what was not flushed.
func (s *store) die() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.taken = s.taken[:s.flushed]
}

func (s *store) replay() *listener {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := &listener{}
	t := NewTable(l)
	for i, p := range s.taken {
		t.Add(p, began.Add(time.Duration(i)), "")
	}
	t.Close()
	return l
}

// serve takes connections until stop is called, which returns when all have ended.
func serve(t *testing.T, socket string, s *store) (stop func()) {
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	var mu sync.Mutex
	var conns []net.Conn
	serving.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			conns = append(conns, c)
			mu.Unlock()
			serving.Go(func() {
				defer c.Close()
				if err := s.receiver().Serve(c.(*net.UnixConn)); err != nil {
					t.Error(err)
				}
			})
		}
	})
	return func() {
		l.Close()
		mu.Lock()
		for _, c := range conns {
			c.Close()
		}
		mu.Unlock()
		serving.Wait()
	}
}

// TestDeaths: receivers that die, and lose what they had not stored, lose nothing of sessions,
// and nothing is told twice.
func TestDeaths(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	s := &store{}
	stop := serve(t, socket, s)
	sender, err := NewSender(Config{Socket: socket, Buffer: 4 << 20})
	if err != nil {
		t.Fatal(err)
	}
	const sessions = 8
	var want [sessions][2][]byte
	var running sync.WaitGroup
	for i := range sessions {
		running.Go(func() {
			r := rand.New(rand.NewPCG(1, uint64(i)))
			c := sender.Begin(fmt.Sprint(i), began.Add(time.Duration(i)*time.Second), mirror.Flow{Client: client, Origin: server}, mirror.Options{Note: "note"})
			for range 60 {
				p := make([]byte, r.IntN(100_000))
				for j := range p {
					p[j] = byte(r.Uint32())
				}
				dir := mirror.Direction(r.IntN(2))
				want[i][dir] = append(want[i][dir], p...)
				c.Data(dir, p)
			}
			c.End(0)
			c.End(1)
			sum := c.Close()
			if lost := sum.LostOctets(0) + sum.LostOctets(1); lost > 0 {
				t.Errorf("session %d lost %d octets", i, lost)
			}
		})
	}
	for range 3 {
		time.Sleep(20 * time.Millisecond) // anywhere
		stop()
		s.die()
		stop = serve(t, socket, s)
	}
	running.Wait()
	if err := sender.Close(); err != nil {
		t.Error(err)
	}
	stop()
	got := s.replay()
	if len(got.list) != sessions {
		t.Fatalf("%d sessions, want %d", len(got.list), sessions)
	}
	for _, h := range got.list {
		i := h.s.ID.Time().Sub(began) / time.Second
		for dir := range 2 {
			if !bytes.Equal(h.Octets[dir], want[i][dir]) || h.Gaps[dir] > 0 || !h.Ends[dir] {
				t.Errorf("session %d, direction %d: %d octets of %d, %d lost, ended %t", i, dir, len(h.Octets[dir]), len(want[i][dir]), h.Gaps[dir], h.Ends[dir])
			}
		}
		if h.s.Client != client || h.s.Server != server {
			t.Errorf("session between %v and %v", h.s.Client, h.s.Server)
		}
	}
}

// TestNobodyThere: without a receiver, octets fill the buffer and are counted as lost then; they
// are a gap for one that comes later.
func TestNobodyThere(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	sender, err := NewSender(Config{Socket: socket, Buffer: 1 << 20, Full: mirror.Drop})
	if err != nil {
		t.Fatal(err)
	}
	lost := uint64(0)
	c := sender.Begin("a", began, mirror.Flow{Client: client, Origin: server}, mirror.Options{Lost: func(_ mirror.Direction, n uint64, reason string) {
		lost += n
		if reason != mirror.ReasonFull {
			t.Errorf("reason %s", reason)
		}
	}})
	p := make([]byte, 64<<10)
	for range 32 {
		c.Data(0, p)
	}
	c.End(0)
	sum := c.Close()
	if sum.Octets[0]+sum.LostOctets(0) != 32*64<<10 || sum.LostOctets(0) != lost || lost < 16*64<<10 || lost > 18*64<<10 {
		t.Errorf("%d recorded, %d lost, told of %d", sum.Octets[0], sum.LostOctets(0), lost)
	}
	if st := sender.Stats(); st.Up {
		t.Errorf("up without anybody: %+v", st)
	}
	s := &store{}
	stop := serve(t, socket, s)
	if err := sender.Close(); err != nil {
		t.Error(err)
	}
	stop()
	h := s.replay().list[0]
	if uint64(len(h.Octets[0])) != sum.Octets[0] || h.Gaps[0] != lost || !h.Ends[0] || !h.Closed {
		t.Errorf("%d octets, gap of %d, ended %t", len(h.Octets[0]), h.Gaps[0], h.Ends[0])
	}
}

// TestSenderGone: the sessions of a sender that died are over.
func TestSenderGone(t *testing.T) {
	l := &listener{}
	table := NewTable(l)
	add := func(r Record) { table.Add(r.Append(nil), began, "") }
	add(Record{Kind: Open, Session: flow.ID{1}, Sender: 1, Client: client, Server: server})
	add(Record{Kind: Open, Session: flow.ID{2}, Sender: 2, Client: client, Server: server})
	add(Record{Kind: Gone, Sender: 1})
	if !l.list[0].Closed || l.list[1].Closed {
		t.Error("the wrong session is over")
	}
	add(Record{Kind: Open, Session: flow.ID{1}, Sender: 1, Client: client, Server: server})
	if len(l.list) != 2 {
		t.Error("a session that is over began again")
	}
	add(Record{Kind: Close, Session: flow.ID{2}, Reset: true, Sizes: [2]uint64{7, 0}})
	if h := l.list[1]; !h.Reset || h.Gaps[0] != 7 || h.Ends[0] {
		t.Errorf("%+v", h)
	}
}

// TestClock: a clock that is set forward or back ends no session that goes on, and one that is
// silent ends in time behind it.
func TestClock(t *testing.T) {
	l := &listener{}
	table := NewTable(l)
	add := func(r Record, at time.Time) { table.Add(r.Append(nil), at, "") }
	one, two := flow.ID{1}, flow.ID{2}
	add(Record{Kind: Open, Session: one, Sender: 1, Client: client, Server: server}, began)
	add(Record{Kind: Open, Session: two, Sender: 1, Client: client, Server: server}, began)
	back := began.AddDate(0, 0, -30)
	add(Record{Kind: Data, Session: one, Octets: []byte("a")}, back)
	if l.list[0].Closed || l.list[1].Closed {
		t.Error("a clock that was set back ended a session")
	}
	for h := range 28 { // the second one is silent
		add(Record{Kind: Data, Session: one, Offset: uint64(1 + h), Octets: []byte("a")}, back.Add(time.Duration(h)*time.Hour))
	}
	if l.list[0].Closed || !l.list[1].Closed {
		t.Errorf("the one that goes on is over: %t, the silent one: %t", l.list[0].Closed, l.list[1].Closed)
	}
}

// TestRecords: records are read as they were written.
func TestRecords(t *testing.T) {
	for _, r := range []Record{
		{Kind: Open, Session: flow.ID{1, 2}, Sender: 9, Client: client, Server: server},
		{Kind: Data, Session: flow.ID{1, 2}, Direction: 1, Offset: 77, Octets: []byte("octets")},
		{Kind: End, Session: flow.ID{3}, Direction: 1, Offset: 77, Octets: []byte{}},
		{Kind: Close, Reset: true, Sizes: [2]uint64{1, 2}},
		{Kind: Gone, Sender: 1 << 63},
	} {
		got, err := Parse(r.Append(nil))
		if diff := cmp.Diff(r, got, cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); err != nil || diff != "" {
			t.Errorf("kind %d: %v\n%s", r.Kind, err, diff)
		}
	}
}

// FuzzTable: no record makes a table fail, or tell more octets than it was given.
func FuzzTable(f *testing.F) {
	open := Record{Kind: Open, Session: flow.ID{1}, Client: client, Server: server}
	data := Record{Kind: Data, Session: flow.ID{1}, Offset: 3, Octets: []byte("abc")}
	f.Add(open.Append(nil), data.Append(nil))
	over := Record{Kind: Close, Session: flow.ID{1}, Sizes: [2]uint64{9, 9}}
	f.Add(data.Append(nil), over.Append(nil))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		l := &listener{}
		table := NewTable(l)
		for _, p := range [][]byte{open.Append(nil), a, b, a} {
			table.Add(p, began, "")
		}
		table.Close()
		for _, h := range l.list {
			if len(h.Octets[0])+len(h.Octets[1]) > 2*len(a)+len(b) || !h.Closed {
				t.Errorf("%+v", h)
			}
		}
	})
}

// FuzzTake: whatever a sender has in its buffer, a receiver takes only records.
func FuzzTake(f *testing.F) {
	open := Record{Kind: Open, Session: flow.ID{1}, Client: client, Server: server}
	frame := append([]byte{0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0}, open.Append(nil)...)
	frame[0] = byte(len(frame) - 4)
	f.Add(frame, uint16(len(frame)), uint16(0))
	f.Add(append(bytes.Clone(frame), frame...), uint16(2*len(frame)), uint16(65500))
	f.Fuzz(func(t *testing.T, p []byte, to, at uint16) {
		r := &ring{octets: make([]byte, 64<<10)}
		r.put(uint64(at), p)
		taken := 0
		c := &connection{ring: r, taken: uint64(at), stored: uint64(at), Receiver: &Receiver{Flush: func() {}, Take: func(p []byte, _ time.Time, _ string) {
			taken += len(p)
			if _, err := Parse(p); err != nil {
				t.Error(err)
			}
		}}}
		c.take(uint64(at)+uint64(to), make([]byte, 4+maxFrame))
		if taken > int(to) {
			t.Errorf("%d octets taken of %d", taken, to)
		}
	})
}

// TestHostileSender: what is no sender ends, and is told.
func TestHostileSender(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: socket, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	unsealed, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer unsealed.Close()
	if err := unsealed.Truncate(minBuffer); err != nil {
		t.Fatal(err)
	}
	good, err := newRing(0)
	if err != nil {
		t.Fatal(err)
	}
	defer good.close()
	hello := le.AppendUint64(le.AppendUint64([]byte(magic), 1), 0)
	for _, tt := range []struct {
		name  string
		hello []byte
		file  *os.File // nil: none
		then  []byte
	}{
		{"no descriptor", hello, nil, nil},
		{"a file that may be cut", hello, unsealed, nil},
		{"other words", []byte("GET / HTTP/1.1\r\n\r\n"), good.file, nil},
		{"more than there is room for", hello, good.file, le.AppendUint64(nil, minBuffer+1)},
		{"no records", hello, good.file, le.AppendUint64(nil, 4096)},
	} {
		conn, err := net.DialUnix("unix", nil, l.Addr().(*net.UnixAddr))
		if err != nil {
			t.Fatal(err)
		}
		var rights []byte
		if tt.file != nil {
			rights = unix.UnixRights(int(tt.file.Fd()))
		}
		if _, _, err := conn.WriteMsgUnix(tt.hello, rights, nil); err != nil {
			t.Fatal(err)
		}
		there, err := l.AcceptUnix()
		if err != nil {
			t.Fatal(err)
		}
		if tt.then != nil {
			conn.Write(tt.then)
		}
		taken := 0
		r := &Receiver{Flush: func() {}, Take: func(p []byte, _ time.Time, _ string) {
			if one, err := Parse(p); err != nil || one.Kind != Gone {
				taken++
			}
		}}
		if err := r.Serve(there); err == nil || taken > 0 {
			t.Errorf("%s: %d records, error %v", tt.name, taken, err)
		}
		conn.Close()
		there.Close()
	}
}
