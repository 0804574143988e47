package recorder

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"io"
	"strings"

	"github.com/clearspan/clearspan/appliance/object/name"
	"github.com/clearspan/clearspan/appliance/recorder/extract"
	"github.com/clearspan/clearspan/appliance/recorder/inspect"
	"github.com/clearspan/clearspan/appliance/recorder/trail"
)

// Found is a finding in a file, wherever in it.
type Found struct {
	inspect.Finding
	Where string // such as "list.xlsx, sheet 名簿, line 3"
}

// Member is a file within a file.
type Member struct {
	Place string // with the names of the archives around it
	Hash  trail.Hash
	Size  uint64
}

// examination is one file that is looked through.
type examination struct {
	inspector *inspect.Inspector
	findings  []Found
	byName    map[string]int
	members   []Member
	text      strings.Builder // for searches, as far as maxIndexed
	limited   bool            // not all was read
	unread    error           // why its text was not read to its end, if that is the process's fault
}

// maxIndexed bounds the text of one object that can be searched, in octets.
const maxIndexed = 8 << 20

// Text implements [extract.Handler].
func (e *examination) Text(place string, text []byte) {
	if room := maxIndexed - e.text.Len(); room > 0 {
		e.text.Write(text[:min(len(text), room)])
		e.text.WriteByte('\n')
	}
	for _, f := range e.inspector.Text(text) {
		where := fmt.Sprintf("line %d", f.Place.Line)
		if f.Place.Column > 0 {
			where += fmt.Sprintf(", column %d", f.Place.Column)
		}
		if place != "" {
			where = place + ", " + where
		}
		e.add(Found{f, where})
	}
}

// add adds a finding to others of its detector.
func (e *examination) add(f Found) {
	i, there := e.byName[f.Detector]
	if !there {
		e.byName[f.Detector] = len(e.findings)
		e.findings = append(e.findings, f)
		return
	}
	g := &e.findings[i]
	g.Count += f.Count
	g.Score = max(g.Score, f.Score)
}

// Label implements [extract.Handler].
func (e *examination) Label(place, label string) {
	e.add(Found{inspect.Finding{Detector: "label", Count: 1, Score: 95, Sample: label}, place})
}

// Note implements [extract.Handler].
func (e *examination) Note(place string, n extract.Note, text string) {
	if n == extract.Encrypted {
		e.add(Found{inspect.Finding{Detector: string(n), Count: 1, Score: 75, Sample: text}, place})
		return
	}
	e.limited = true
}

// maxMembers bounds the members that have rows.
const maxMembers = 10_000

// Member implements [extract.Handler].
func (e *examination) Member(place string) io.WriteCloser {
	if len(e.members) >= maxMembers {
		return nil
	}
	return &memberWriter{e: e, place: place, sum: sha256.New()}
}

// memberWriter hashes a member.
type memberWriter struct {
	e     *examination
	place string
	sum   hash.Hash
	size  uint64
}

func (w *memberWriter) Write(p []byte) (int, error) {
	w.size += uint64(len(p))
	return w.sum.Write(p)
}

func (w *memberWriter) Close() error {
	w.e.Hashed(w.place, [32]byte(w.sum.Sum(nil)), w.size)
	return nil
}

// Hashed implements [extractor.Handler].
func (e *examination) Hashed(place string, sum [32]byte, size uint64) {
	if len(e.members) < maxMembers {
		e.members = append(e.members, Member{place, sum, size})
	}
}

// rows adds what was found in the object of a sighting to a batch.
func (e *examination) rows(event *trail.Event, s *trail.Sighting, b *trail.Batch) {
	for i, m := range e.members {
		at := strings.LastIndex(m.Place, ", ") + 1
		b.Objects = append(b.Objects, trail.Object{Hash: m.Hash, Size: m.Size, First: s.At})
		b.Sightings = append(b.Sightings, trail.Sighting{
			Event: event.ID, Number: s.Number*maxMembers + i, Hash: m.Hash, At: s.At, Direction: s.Direction,
			Name: name.Base(m.Place[at:]), Part: m.Place, Parent: s.Hash, Ending: "complete", Size: m.Size,
		})
	}
	for _, f := range e.findings {
		b.Findings = append(b.Findings, trail.Finding{
			ID: findingID(event.ID, s.Hash, f.Detector), Event: event.ID, Hash: s.Hash, At: s.At,
			Detector: f.Detector, Count: uint64(f.Count), Score: f.Score, Sample: f.Sample, Place: f.Where,
		})
	}
}

// findingID makes the name of a finding.
func findingID(event trail.ID, object trail.Hash, detector string) (id trail.ID) {
	h := sha256.New()
	h.Write(event[:])
	h.Write(object[:])
	h.Write([]byte(detector))
	sum := h.Sum(nil)
	copy(id[:8], event[:8])
	binary.BigEndian.PutUint64(id[8:], binary.BigEndian.Uint64(sum))
	return id
}
