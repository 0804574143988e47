package recorder

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/clearspan/clearspan/appliance/recorder/trail"
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

// each calls f with all events, and counts them.
func (x *exporter) each(ctx context.Context, q trail.Question, f func(*trail.Full) error) error {
	return eachEvent(ctx, x.a.Trail, q, func(full *trail.Full) error {
		x.Events++
		return f(full)
	})
}

// Each calls f with all events that a question asks for, the newest first.
func (a *Archive) Each(ctx context.Context, q trail.Question, f func(*trail.Full) error) error {
	return eachEvent(ctx, a.Trail, q, f)
}

// eachEvent calls f with all events that a question asks for, page by page.
func eachEvent(ctx context.Context, t trail.Reader, q trail.Question, f func(*trail.Full) error) error {
	q.Limit = trail.MaxPage
	for {
		n := 0
		var failed error
		err := t.Events(ctx, q, func(full *trail.Full) bool {
			n++
			q.Before = full.ID
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

// packets writes the frames of the sessions of events, as they were captured.
func (x *exporter) packets(ctx context.Context, q trail.Question) error {
	w := newWanted()
	seen := make(map[trail.ID]bool)
	err := x.each(ctx, q, func(full *trail.Full) error {
		if seen[full.Event.Session] {
			return nil
		}
		seen[full.Event.Session] = true
		s, err := x.a.Trail.Session(ctx, full.Event.Session)
		if errors.Is(err, trail.ErrNone) {
			return nil
		}
		if err == nil {
			w.add(s)
		}
		return err
	})
	if err != nil {
		return err
	}
	f, err := os.OpenFile(x.out, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	x.Frames, err = x.a.copy(ctx, x.dir, f, w)
	return errors.Join(err, f.Close())
}
