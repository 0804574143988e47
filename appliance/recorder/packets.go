package recorder

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net/netip"
	"path/filepath"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"

	"github.com/clearspan/clearspan/appliance/recorder/engine"
	"github.com/clearspan/clearspan/appliance/recorder/flow"
	"github.com/clearspan/clearspan/appliance/recorder/trail"
	"github.com/clearspan/clearspan/appliance/recorder/volume"
)

// ends are those of a session, in any order.
type ends struct {
	a, b      netip.AddrPort
	transport flow.Transport
}

func endsOf(a, b netip.AddrPort, t flow.Transport) ends {
	if a.Compare(b) > 0 {
		a, b = b, a
	}
	return ends{a, b, t}
}

// span is when a session was.
type period struct{ from, to time.Time }

// slack is added to both ends of a session: what belongs to it may be captured a bit off.
const slack = time.Second

// wanted are sessions whose frames are looked for.
type wanted struct {
	periods     map[ends][]period
	first, last time.Time
	words       map[trail.ID]string // protocols of the sessions
	read        int64               // octets of volumes that were read
}

func newWanted() *wanted {
	return &wanted{periods: make(map[ends][]period), words: make(map[trail.ID]string)}
}

// add adds a session.
func (w *wanted) add(s *trail.Session) {
	transport := flow.TCP
	if s.Transport == flow.UDP.String() {
		transport = flow.UDP
	}
	p := period{s.Start.Add(-slack), s.End.Add(slack)}
	if s.End.Before(s.Start) { // the clock was set back
		p = period{s.End.Add(-slack), s.Start.Add(slack)}
	}
	if s.Open {
		p.to = time.Now()
	}
	key := endsOf(s.Client, s.Server, transport)
	w.periods[key] = append(w.periods[key], p)
	w.words[s.ID] = s.Protocol
	if w.first.IsZero() || p.from.Before(w.first) {
		w.first = p.from
	}
	if p.to.After(w.last) {
		w.last = p.to
	}
}

// in reports whether a session of an index may be one of those.
func (w *wanted) in(s *volume.Indexed) bool {
	if id, ok := volume.EngineSession(s.Key); ok {
		_, known := w.words[trail.ID(id)]
		return known
	}
	a, b, transport := s.Key.Ends()
	for _, p := range w.periods[endsOf(a, b, transport)] {
		if s.First.IsZero() || !s.Last.Add(time.Microsecond).Before(p.from) && !s.First.After(p.to) {
			return true
		}
	}
	return false
}

// has reports whether a frame belongs to a session.
func (w *wanted) has(f *volume.Frame) bool {
	if f.Link == engine.LinkType {
		id, ok := engine.SessionOf(f.Octets)
		_, known := w.words[trail.ID(id)]
		return ok && known
	}
	client, server, transport, ok := flow.Ends(f.Link, f.Octets)
	if !ok {
		return false
	}
	for _, p := range w.periods[endsOf(client, server, transport)] {
		if !f.At.Before(p.from) && !f.At.After(p.to) {
			return true
		}
	}
	return false
}

// frames calls f with the frames of sessions, which it borrows. Volumes that cannot be read, or
// not to their end, are in the error; the others count.
func (a *Archive) frames(ctx context.Context, dir string, w *wanted, f func(*volume.Frame) error) error {
	dir = filepath.Join(dir, volumeDir)
	list, err := volume.List(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	skip := make(map[uint64]bool)
	for _, v := range list {
		if !v.Last.IsZero() && (v.Last.Before(w.first) || v.First.After(w.last)) {
			skip[v.Number] = true
		}
	}
	r := volume.NewReader(dir, nil, 0)
	defer r.Close()
	r.Identify(a.identities)
	r.Want(w.in)
	defer func() { w.read = r.Octets() }()
	var damaged error
	for r.Skip(func(n uint64) bool { return skip[n] }); ; {
		frame, _, err := r.Next(ctx, 0)
		switch {
		case errors.Is(err, volume.ErrDamaged), errors.Is(err, volume.ErrLocked):
			damaged = errors.Join(damaged, err)
			continue
		case errors.Is(err, io.EOF):
			return damaged
		case err != nil:
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		}
		if w.has(&frame) {
			if err := f(&frame); err != nil {
				return err
			}
		}
	}
}

// copy writes the frames of sessions as pcapng.
func (a *Archive) copy(ctx context.Context, dir string, out io.Writer, wanted *wanted) (frames int, err error) {
	w, err := pcapgo.NewNgWriter(out, layers.LinkTypeEthernet)
	if err != nil {
		return 0, err
	}
	records := newRendering(w, wanted.words)
	links := map[uint16]int{1: 0} // interfaces of the file
	err = a.frames(ctx, dir, wanted, func(f *volume.Frame) error {
		if f.Link == engine.LinkType {
			return records.add(f)
		}
		frames++
		return writePacket(w, links, f)
	})
	err = errors.Join(err, records.close())
	if frames += records.frames; err != nil && frames == 0 {
		return 0, err
	}
	return frames, errors.Join(err, w.Flush())
}

// writePacket writes a frame as it was captured. A link of another kind is another interface.
func writePacket(w *pcapgo.NgWriter, links map[uint16]int, f *volume.Frame) error {
	i, ok := links[f.Link]
	if !ok {
		var err error
		if i, err = w.AddInterface(pcapgo.NgInterface{LinkType: layers.LinkType(f.Link), TimestampResolution: 9}); err != nil {
			return err
		}
		links[f.Link] = i
	}
	o := pcapgo.NgPacketOptions{}
	if f.Comment != "" {
		o.Comments = []string{f.Comment}
	}
	info := gopacket.CaptureInfo{Timestamp: f.At, CaptureLength: len(f.Octets), Length: max(f.Wire, len(f.Octets)), InterfaceIndex: i}
	return w.WritePacketWithOptions(info, f.Octets, o)
}

// Packets writes the frames of a session as pcapng. dir is the recorder's.
func (a *Archive) Packets(ctx context.Context, dir string, s *trail.Session, out io.Writer) (frames int, err error) {
	w := newWanted()
	w.add(s)
	return a.copy(ctx, dir, out, w)
}
