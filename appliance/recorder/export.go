package recorder

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"

	"github.com/clearspan/clearspan/appliance/recorder/engine"
	"github.com/clearspan/clearspan/appliance/recorder/flow"
	"github.com/clearspan/clearspan/appliance/recorder/trail"
	"github.com/clearspan/clearspan/appliance/recorder/volume"
)

// Formats are those of [Export].
var Formats = []string{"files", "eml", "pcapng", "csv", "json"}

// Exported counts what was written.
type Exported struct {
	Events, Files, Frames, Missing int
}

// String returns a line.
func (e Exported) String() string {
	text := fmt.Sprintf("%d events, %d files, %d frames", e.Events, e.Files, e.Frames)
	if e.Missing > 0 {
		text += fmt.Sprintf("; the octets of %d objects are not kept", e.Missing)
	}
	return text
}

// Export writes what a question asks for to out: a directory for files and eml, else a file.
// It must not be there. dir is the recorder's.
func Export(ctx context.Context, dir string, a *Archive, q trail.Question, format, out string) (e Exported, err error) {
	if _, err := os.Lstat(out); err == nil {
		return e, fmt.Errorf("%s: %w", out, fs.ErrExist)
	}
	x := &exporter{dir: dir, a: a, out: out}
	switch format {
	case "files", "eml":
		if err := os.Mkdir(out, 0o700); err != nil {
			return e, err
		}
		err = x.files(ctx, q, format == "eml")
	case "pcapng":
		err = x.packets(ctx, q)
	case "csv", "json":
		err = x.rows(ctx, q, format == "csv")
	default:
		return e, fmt.Errorf("unknown format %q: %s", format, strings.Join(Formats, ", "))
	}
	return x.Exported, err
}

type exporter struct {
	Exported
	dir string
	a   *Archive
	out string
}

// each calls f with all events, page by page.
func (x *exporter) each(ctx context.Context, q trail.Question, f func(*trail.Full) error) error {
	q.Limit = trail.MaxPage
	for {
		n := 0
		var failed error
		err := x.a.Trail.Events(ctx, q, func(full *trail.Full) bool {
			n++
			q.Before = full.ID
			x.Events++
			failed = f(full)
			return failed == nil
		})
		if err = errors.Join(failed, err); err != nil || n < q.Limit {
			return err
		}
	}
}

// files writes objects, or mail messages only. Each is written once.
func (x *exporter) files(ctx context.Context, q trail.Question, mail bool) error {
	written := make(map[trail.Hash]bool)
	return x.each(ctx, q, func(full *trail.Full) error {
		for i := range full.Sightings {
			s := &full.Sightings[i]
			if mail != (s.Type == "message/rfc822") || !mail && s.Name == "" || written[s.Hash] {
				continue
			}
			written[s.Hash] = true
			err := x.a.Extract(s.Hash, filepath.Join(x.out, fileName(s, mail)))
			switch {
			case errors.Is(err, ErrNotKept):
				x.Missing++
			case err != nil:
				return err
			default:
				x.Files++
			}
		}
		return nil
	})
}

// fileName returns a name for an object that no other object has, and that is no path. What
// strangers called it stands behind its hash.
func fileName(s *trail.Sighting, mail bool) string {
	if mail {
		return s.Hash.String()[:16] + ".eml"
	}
	name := strings.Map(func(r rune) rune {
		if r == '/' || r == '\\' || r < ' ' || r == 0x7f {
			return '_'
		}
		return r
	}, s.Name)
	for len(name) > 200 {
		name = name[1:] // the end says what it is
	}
	return s.Hash.String()[:16] + "-" + strings.ToValidUTF8(name, "_")
}

// rows writes events.
func (x *exporter) rows(ctx context.Context, q trail.Question, table bool) error {
	f, err := os.OpenFile(x.out, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if table {
		err = x.table(ctx, q, f)
	} else {
		j := NewJSONLines(f)
		err = x.each(ctx, q, j.Full)
	}
	return errors.Join(err, f.Close())
}

// table writes a line an object, or an event that has none. Spreadsheets take no formula out
// of it.
func (x *exporter) table(ctx context.Context, q trail.Question, out io.Writer) error {
	w := csv.NewWriter(out)
	w.Write([]string{"time", "event", "protocol", "client", "server", "user", "method", "host", "uri", "status", "sender", "recipients", "subject", "direction", "name", "size", "sha256", "findings", "event_id"})
	err := x.each(ctx, q, func(full *trail.Full) error {
		list := full.Sightings
		if len(list) == 0 {
			list = []trail.Sighting{{Ending: "none"}}
		}
		for i := range list {
			s := &list[i]
			direction, size, hash := s.Direction.String(), strconv.FormatUint(s.Size, 10), s.Hash.String()
			if s.Ending == "none" {
				direction, size, hash = "", "", ""
			}
			var found []string
			for _, f := range full.Findings {
				if f.Hash == s.Hash {
					found = append(found, fmt.Sprintf("%s x%d", f.Detector, f.Count))
				}
			}
			status := ""
			if full.Status != 0 {
				status = strconv.Itoa(full.Status)
			}
			cells := []string{stamp(full.At), full.Kind, full.Protocol, full.Client.String(), full.Server.String(), full.User, full.Method, full.Host, full.URI, status,
				full.Sender, recipients(&full.Event), full.Subject, direction, s.Name, size, hash, strings.Join(found, ", "), full.ID.String()}
			for i, c := range cells {
				if c != "" && strings.ContainsRune("=+-@\t\r", rune(c[0])) {
					cells[i] = "'" + c
				}
			}
			w.Write(cells)
		}
		return nil
	})
	w.Flush()
	return errors.Join(err, w.Error())
}

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

// packets writes the frames of the sessions of events, as they were captured.
func (x *exporter) packets(ctx context.Context, q trail.Question) error {
	wanted := make(map[ends][]period)
	first, last := time.Time{}, time.Time{}
	words := make(map[trail.ID]string) // protocols of the sessions
	err := x.each(ctx, q, func(full *trail.Full) error {
		if _, seen := words[full.Event.Session]; seen {
			return nil
		}
		words[full.Event.Session] = ""
		s, err := x.a.Trail.Session(ctx, full.Event.Session)
		if errors.Is(err, trail.ErrNone) {
			return nil
		}
		if err != nil {
			return err
		}
		words[s.ID] = s.Protocol
		transport := flow.TCP
		if s.Transport == flow.UDP.String() {
			transport = flow.UDP
		}
		p := period{s.Start.Add(-slack), s.End.Add(slack)}
		if s.Open {
			p.to = time.Now()
		}
		key := endsOf(s.Client, s.Server, transport)
		wanted[key] = append(wanted[key], p)
		if first.IsZero() || p.from.Before(first) {
			first = p.from
		}
		if p.to.After(last) {
			last = p.to
		}
		return nil
	})
	if err != nil {
		return err
	}
	f, err := os.OpenFile(x.out, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(x.copy(ctx, f, wanted, words, first, last), f.Close())
}

// copy copies the frames of sessions.
func (x *exporter) copy(ctx context.Context, f io.Writer, wanted map[ends][]period, words map[trail.ID]string, first, last time.Time) error {
	w, err := pcapgo.NewNgWriter(f, layers.LinkTypeEthernet)
	if err != nil {
		return err
	}
	dir := filepath.Join(x.dir, volumeDir)
	list, err := volume.List(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	skip := make(map[uint64]bool)
	for _, v := range list {
		if !v.Last.IsZero() && (v.Last.Before(first) || v.First.After(last)) {
			skip[v.Number] = true
		}
	}
	r := volume.NewReader(dir, nil, 0)
	defer r.Close()
	r.Identify(x.a.identities)
	records := newRendering(w, words)
	var damaged error
	for r.Skip(func(n uint64) bool { return skip[n] }); ; {
		frame, _, err := r.Next(ctx, 0)
		if errors.Is(err, volume.ErrDamaged) || errors.Is(err, volume.ErrLocked) {
			damaged = errors.Join(damaged, err)
			continue
		}
		if errors.Is(err, io.EOF) {
			err := records.close()
			x.Frames += records.frames
			return errors.Join(damaged, err, w.Flush())
		}
		if err != nil {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if frame.Link == engine.LinkType {
			if err := records.add(&frame); err != nil {
				return err
			}
			continue
		}
		if !within(wanted, &frame) {
			continue
		}
		info := gopacket.CaptureInfo{Timestamp: frame.At, CaptureLength: len(frame.Octets), Length: max(frame.Wire, len(frame.Octets))}
		if frame.Link != 1 {
			continue // of another kind of link than the file
		}
		o := pcapgo.NgPacketOptions{}
		if frame.Comment != "" {
			o.Comments = []string{frame.Comment}
		}
		if err := w.WritePacketWithOptions(info, frame.Octets, o); err != nil {
			return err
		}
		x.Frames++
	}
}

// within reports whether a frame belongs to a session.
func within(wanted map[ends][]period, f *volume.Frame) bool {
	client, server, transport, ok := flow.Ends(f.Link, f.Octets)
	if !ok {
		return false
	}
	for _, p := range wanted[endsOf(client, server, transport)] {
		if !f.At.Before(p.from) && !f.At.After(p.to) {
			return true
		}
	}
	return false
}
