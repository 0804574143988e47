package analyst

import (
	"net/netip"

	"github.com/clearspan/clearspan/appliance/dissect"
	"github.com/clearspan/clearspan/appliance/recorder/flow"
	"github.com/clearspan/clearspan/appliance/recorder/trail"
	"github.com/clearspan/clearspan/decrypt/proto"
)

// files are the data connections of FTP that were announced and not made yet, by the
// address to which they go. The oldest is forgotten if there are too many.
type files struct {
	expects map[netip.AddrPort]*transfer
	order   []netip.AddrPort
	// Sessions that may be data connections, by the address to which they go.
	unclaimed map[flowServer]*session
}

// flowServer is the end of a session that did not open it.
type flowServer = netip.AddrPort

const (
	maxExpected  = 10_000
	maxTransfers = 16 // of a session, whose end is not known
)

// transfer is a data connection of FTP, and what it carries.
type transfer struct {
	control *session
	event   *event // nil: not known yet
	list    bool   // it is no file
	dir     proto.Direction
	opened  bool // the data connection
	carrier *session
	held    early // octets that came before the command
	closed  bool
	replied bool
}

// expect notes a data connection.
func (f *files) expect(to netip.AddrPort, t *transfer) {
	if f.expects == nil {
		f.expects = make(map[netip.AddrPort]*transfer)
	}
	if _, again := f.expects[to]; !again {
		if len(f.order) >= maxExpected {
			delete(f.expects, f.order[0])
			f.order = f.order[1:]
		}
		f.order = append(f.order, to)
	}
	f.expects[to] = t
}

// expected returns what a session carries, if it was announced.
func (f *files) expected(s *flow.Session) *transfer {
	t := f.expects[s.Server]
	if t != nil {
		f.expects[s.Server] = nil // its place in the order stays
		t.opened = true
	}
	return t
}

// channel notes a data connection that a control connection announces.
func (s *session) channel(c *dissect.Channel) {
	t := &transfer{control: s}
	if before := s.next; before != nil && before.event == nil && len(before.held.pieces) > 0 {
		before.nameless() // its command was lost
	}
	s.next = t
	told := c.Address.Unmap()
	to := []netip.AddrPort{netip.AddrPortFrom(told, c.Port)}
	if !c.Active { // behind address translation, the server may tell an address that is only its own
		to = append(to, netip.AddrPortFrom(s.flow.Server.Addr(), c.Port))
	}
	for _, a := range to {
		if u := s.a.files.unclaimed[a]; u != nil && u != s {
			t.claim(u)
			return
		}
	}
	for _, a := range to {
		if a.Addr().IsValid() {
			s.a.files.expect(a, t)
		}
	}
}

// command notes what the next data connection carries.
func (s *session) command(c *dissect.Command) {
	t := s.next
	s.next = nil
	if t == nil {
		t = &transfer{control: s}
	}
	t.dir = c.Direction
	if !c.File {
		t.list = true
		return
	}
	e := s.event(trail.File)
	e.Method, e.messages = text(c.Verb), 1
	e.User = s.user
	e.URI = "ftp://" + s.flow.Server.Addr().String() + "/" + text(c.Name)
	e.about[c.Direction].Name = text(c.Name)
	t.event = e
	t.release()
	if len(s.transfers) >= maxTransfers {
		s.transfers[0].finish()
		s.transfers = s.transfers[1:]
	}
	s.transfers = append(s.transfers, t)
}

// transferred notes the last reply to a file.
func (s *session) transferred(x *dissect.Transfer) {
	if len(s.transfers) == 0 {
		return
	}
	t := s.transfers[0]
	s.transfers = s.transfers[1:]
	t.replied = true
	t.event.Status = x.Code
	if t.closed || !t.opened {
		t.finish()
	}
}

// hold keeps octets until the command says whose they are. If there are too many, or no
// command comes, the file has no name.
func (t *transfer) hold(s *session, dir proto.Direction, p []byte, gap uint64) (held bool) {
	if t.event != nil || t.list {
		return false
	}
	t.carrier = s
	if t.held.add(dir, p, gap) {
		return true
	}
	t.nameless()
	return false
}

// nameless begins an event for a file of which nothing is known.
func (t *transfer) nameless() {
	t.dir = proto.OriginToClient
	if len(t.held.pieces) > 0 {
		t.dir = t.held.pieces[0].dir
	}
	t.event = t.carrier.event(trail.File)
	t.event.Protocol = "ftp"
	t.release()
}

// release hands out what was held, now that the event is known.
func (t *transfer) release() {
	held := t.held.pieces
	t.held = early{}
	for _, x := range held {
		if x.gap > 0 {
			t.gap(t.carrier, x.dir, x.gap)
		} else {
			t.data(t.carrier, x.dir, x.p)
		}
	}
	if t.closed && t.carrier != nil {
		t.shut(t.carrier)
	}
}

// data takes octets of the file. On the data connection, either end may be the client.
func (t *transfer) data(s *session, dir proto.Direction, p []byte) {
	if !t.hold(s, dir, p, 0) && !t.list {
		t.event.stream(s, t.dir).Write(p)
		t.event.count(t.dir, uint64(len(p)))
	}
}

func (t *transfer) gap(s *session, dir proto.Direction, n uint64) {
	if !t.hold(s, dir, nil, n) && !t.list {
		t.event.stream(s, t.dir).Hole(n)
		t.event.count(t.dir, n)
	}
}

// count notes octets of contents.
func (e *event) count(dir proto.Direction, n uint64) {
	if dir == proto.ClientToOrigin {
		e.Up += n
	} else {
		e.Down += n
	}
}

// close ends the file with its data connection.
func (t *transfer) close(s *session) {
	t.closed, t.carrier = true, s
	if t.event == nil && !t.list && t.control.closed && len(t.held.pieces) > 0 {
		t.nameless()
		return
	}
	if t.event != nil {
		t.shut(s)
	}
}

// shut ends the file: its data connection has ended, and its event is known.
func (t *transfer) shut(s *session) {
	complete := s.flow.Flags&(flow.Reset|flow.Idle) == 0
	if !complete {
		t.event.Outcome = dissect.Cut.String()
	}
	if t.event.streams[t.dir] == nil && t.event.about[t.dir].Name != "" { // an empty file
		t.event.stream(s, t.dir)
	}
	t.event.close(t.dir, complete)
	if t.replied || t.control.closed || t.event.Session != trail.ID(t.control.flow.ID) {
		t.finish()
	}
}

// finish hands out the event.
func (t *transfer) finish() {
	if t.event != nil {
		t.event.close(t.dir, false)
		t.control.done(t.event)
	}
}
