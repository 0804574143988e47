package recorder

import (
	"bufio"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/clearspan/clearspan/appliance/recorder/seal"
	"github.com/clearspan/clearspan/appliance/recorder/trail"
	"github.com/clearspan/clearspan/appliance/recorder/trail/sqlite"
	"github.com/clearspan/clearspan/appliance/recorder/volume"
)

// holding is a case that takes what its query asks for.
type holding struct {
	Held
	c        *Case
	a        *Archive // of the recorder
	dir      string   // of the recorder
	own      string   // of the case
	store    *sqlite.Store
	had      map[trail.ID]bool // events that the case has
	batch    trail.Batch
	pins     []trail.Hash
	sessions map[trail.ID]bool
	copied   map[trail.ID]time.Time // up to which the packets of a session are copied
	periods  []period               // of sessions whose packets could not be copied
}

// hold copies the rows of events that a case asks for and has not got yet, and the packets of
// their sessions. Their objects are pinned. The index is open, and others remove nothing.
func (a *Archive) hold(ctx context.Context, dir string, c *Case) (held Held, err error) {
	h, err := a.holding(ctx, dir, c)
	return h.Held, err
}

func (a *Archive) holding(ctx context.Context, dir string, c *Case) (h *holding, err error) {
	h = &holding{c: c, a: a, dir: dir, own: CaseDirectory(dir, c.Name), had: make(map[trail.ID]bool), sessions: make(map[trail.ID]bool)}
	q, err := trail.Language.Parse(c.Query)
	if err != nil {
		return h, err
	}
	if h.store, err = sqlite.Open(filepath.Join(h.own, trailDir)); err != nil {
		return h, err
	}
	defer func() { err = errors.Join(err, h.store.Close()) }()
	if _, err := os.Lstat(filepath.Join(h.own, contentDir)); err != nil { // it is opened: a recorder that runs makes no links
		if err := os.Symlink(filepath.Join("..", "..", contentDir), filepath.Join(h.own, contentDir)); err != nil {
			return h, err
		}
	}
	err = eachEvent(ctx, h.store, trail.Question{}, func(x *trail.Full) error {
		h.had[x.ID] = true
		h.sessions[x.Event.Session] = true
		h.Events++
		h.Objects += len(x.Sightings)
		return nil
	})
	if err == nil {
		err = eachEvent(ctx, a.Trail, trail.Question{Query: q}, func(x *trail.Full) error { return h.take(ctx, x) })
	}
	if err == nil {
		err = h.flush(ctx)
	}
	if err == nil {
		err = h.packets(ctx)
	}
	if err == nil {
		err = h.seal(ctx)
	}
	h.Sessions = len(h.sessions)
	return h, err
}

// holdAtOnce bounds the events of a batch.
const holdAtOnce = 500

// take takes an event.
func (h *holding) take(ctx context.Context, x *trail.Full) error {
	if h.had[x.ID] {
		return nil
	}
	h.Events++
	h.batch.Events = append(h.batch.Events, x.Event)
	h.batch.Sightings = append(h.batch.Sightings, x.Sightings...)
	h.batch.Findings = append(h.batch.Findings, x.Findings...)
	for _, o := range x.Objects {
		if o.Stored > 0 {
			h.pins = append(h.pins, o.Hash)
			if _, _, err := h.a.content.File(o.Hash); err != nil {
				o.Stored = 0
				h.Missing++
			}
		}
		h.batch.Objects = append(h.batch.Objects, o)
	}
	for i := range x.Sightings {
		h.Objects++
		if p := x.Sightings[i].Parent; !p.IsZero() {
			h.pins = append(h.pins, p)
		}
	}
	if !h.sessions[x.Event.Session] {
		h.sessions[x.Event.Session] = true
		s, err := h.a.Trail.Session(ctx, x.Event.Session)
		if err == nil {
			h.batch.Sessions = append(h.batch.Sessions, *s)
		} else if !errors.Is(err, trail.ErrNone) {
			return err
		}
	}
	if len(h.batch.Events) < holdAtOnce {
		return nil
	}
	return h.flush(ctx)
}

// flush pins objects, and writes rows.
func (h *holding) flush(ctx context.Context) error {
	if len(h.batch.Events) == 0 {
		return nil
	}
	err := h.a.index.Pin(ctx, h.c.Name, h.pins)
	if err == nil {
		err = h.store.Write(ctx, &h.batch)
	}
	h.batch.Reset()
	h.pins = h.pins[:0]
	return err
}

// copiedName has lines of sessions, and of the times up to which their packets are copied.
const copiedName = "copied"

// copyAgain is how often the packets of a session that is open are copied.
const copyAgain = time.Hour

// packets copies the packets of sessions into volumes of the case.
func (h *holding) packets(ctx context.Context) error {
	var err error
	if h.copied, err = readCopied(filepath.Join(h.own, copiedName)); err != nil {
		return err
	}
	want := newWanted()
	var lines strings.Builder
	for id := range h.sessions {
		s, err := h.a.Trail.Session(ctx, id)
		if errors.Is(err, trail.ErrNone) {
			continue // what there was is copied
		}
		if err != nil {
			return err
		}
		to, before := s.End, h.copied[id]
		if !before.IsZero() && (!to.After(before) || s.Open && time.Since(before) < copyAgain) {
			continue
		}
		if !before.IsZero() {
			s.Start = before.Add(slack + time.Nanosecond)
		}
		want.add(s)
		h.periods = append(h.periods, period{s.Start, to})
		fmt.Fprintf(&lines, "%s %d\n", id, to.UnixNano())
	}
	if lines.Len() == 0 {
		return nil
	}
	w, err := volume.Open(filepath.Join(h.own, volumeDir), volume.Options{Age: 1 << 62})
	if err != nil {
		return err
	}
	err = h.a.frames(ctx, h.dir, want, func(f *volume.Frame) error { w.Add(*f); return nil })
	err = errors.Join(err, w.Close())
	if n := w.Counts().Dropped; n > 0 {
		err = errors.Join(err, fmt.Errorf("%d frames could not be written", n))
	}
	switch {
	case errors.Is(err, volume.ErrLocked):
		return nil // the volumes themselves stay
	case err != nil && !errors.Is(err, volume.ErrDamaged):
		return err
	}
	h.periods = nil
	f, err := os.OpenFile(filepath.Join(h.own, copiedName), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(lines.String())
	return errors.Join(err, f.Sync(), f.Close())
}

// readCopied reads the file of that name. Later lines count, and a torn one does not.
func readCopied(name string) (map[trail.ID]time.Time, error) {
	copied := make(map[trail.ID]time.Time)
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return copied, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		text, at, _ := strings.Cut(lines.Text(), " ")
		id, err := trail.ParseID(text)
		n, err2 := strconv.ParseInt(at, 10, 64)
		if err == nil && err2 == nil {
			copied[id] = time.Unix(0, n)
		}
	}
	return copied, lines.Err()
}

// sealed is what the chain of cases has of a case.
type sealed struct {
	rows    map[string]int64 // by date, the last one
	volumes map[uint64]seal.Link
}

func (s *sealed) link(l seal.Link) {
	switch l.Kind {
	case seal.Rows:
		s.rows[l.Name] = l.To
	case seal.Volume:
		s.volumes[uint64(l.From)] = l
	}
}

// seal adds to the chain of cases what the case has got.
func (h *holding) seal(ctx context.Context) error {
	dir := filepath.Join(h.dir, sealDir)
	have := sealed{make(map[string]int64), make(map[uint64]seal.Link)}
	err := seal.ReadCases(dir, func(l seal.Link) {
		if l.Case == h.c.Name {
			have.link(l)
		}
	})
	if err != nil {
		return err
	}
	days, err := h.store.Days()
	if err != nil {
		return err
	}
	var links []seal.Link
	for _, date := range days {
		d, err := h.store.Digest(ctx, date, have.rows[date]+1, maxNumber)
		if err != nil {
			return err
		}
		if d != nil && d.Events > 0 {
			links = append(links, seal.Link{Kind: seal.Rows, Case: h.c.Name, Name: date, From: have.rows[date] + 1, To: d.Last, Size: d.Events, SHA256: hex.EncodeToString(d.SHA256[:])})
		}
	}
	list, err := volume.List(filepath.Join(h.own, volumeDir))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, v := range list {
		if _, known := have.volumes[v.Number]; !known {
			links = append(links, seal.Link{Kind: seal.Volume, Case: h.c.Name, Name: v.Name(), From: int64(v.Number), Size: v.Size, SHA256: v.SHA256})
		}
	}
	if len(links) == 0 {
		return nil
	}
	return seal.Note(dir, links...)
}
