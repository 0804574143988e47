package recorder

import (
	"bytes"
	"context"
	"io"
	"strings"
	"time"

	"github.com/clearspan/clearspan/appliance/recorder/engine"
	"github.com/clearspan/clearspan/appliance/recorder/extract"
	"github.com/clearspan/clearspan/appliance/recorder/flow"
	"github.com/clearspan/clearspan/appliance/recorder/trail"
	"github.com/clearspan/clearspan/appliance/recorder/volume"
	"github.com/clearspan/clearspan/decrypt/proto"
)

// Piece is a run of octets of a session, or of octets that are lost.
type Piece struct {
	Direction trail.Direction
	At        time.Time // of the frame that told of it
	Octets    []byte    // valid until the call returns
	Lost      uint64    // octets that are not there instead
}

// pieces hands out the pieces of one session.
type pieces struct {
	id     trail.ID
	take   func(Piece) error
	now    time.Time
	failed error
	found  bool
}

// Open implements [flow.Handler].
func (p *pieces) Open(s *flow.Session) flow.Stream {
	if trail.ID(s.ID) != p.id {
		return nil
	}
	p.found = true
	return p
}

func (p *pieces) hand(dir proto.Direction, octets []byte, lost uint64) {
	x := Piece{Direction: trail.Sent, At: p.now, Octets: octets, Lost: lost}
	if dir == proto.OriginToClient {
		x.Direction = trail.Received
	}
	if p.failed == nil {
		p.failed = p.take(x)
	}
}

// Stream calls f with what the ends of a session said, in order. It returns [trail.ErrNone]
// if its packets are not there. dir is the recorder's.
func (a *Archive) Stream(ctx context.Context, dir string, s *trail.Session, f func(Piece) error) error {
	w := newWanted()
	w.add(s)
	p := &pieces{id: s.ID, take: f}
	t, own := flow.New(flow.Config{}, p), engine.NewTable(p)
	err := a.frames(ctx, dir, w, func(f *volume.Frame) error {
		p.now = f.At
		if f.Link == engine.LinkType && own.Add(f.Octets, f.At, f.Comment) {
			return p.failed
		}
		t.Add(flow.Frame{Octets: f.Octets, Wire: f.Wire, At: f.At, Link: f.Link})
		return p.failed
	})
	if err == nil {
		t.Close()
		own.Close()
		err = p.failed
	}
	if err == nil && !p.found {
		err = trail.ErrNone
	}
	return err
}

// Data, Gap, End and Close implement [flow.Stream].
func (p *pieces) Data(dir proto.Direction, octets []byte) { p.hand(dir, octets, 0) }
func (p *pieces) Gap(dir proto.Direction, n uint64)       { p.hand(dir, nil, n) }
func (p *pieces) End(proto.Direction)                     {}
func (p *pieces) Close()                                  {}

// Text returns the text of an object, as far as 8 MiB, and whether there is more.
func (a *Archive) Text(ctx context.Context, h trail.Hash, hint extract.Hint) (text string, more bool, err error) {
	r, err := a.content.Open(h)
	if err != nil {
		return "", false, err
	}
	defer r.Close()
	at, ok := r.(io.ReaderAt)
	size := int64(0)
	if ok {
		o, err := a.Trail.Object(ctx, h)
		if err != nil {
			return "", false, err
		}
		size = int64(o.Size)
	} else { // it is compressed
		p, err := io.ReadAll(io.LimitReader(r, maxExamined))
		if err != nil {
			return "", false, err
		}
		at, size = bytes.NewReader(p), int64(len(p))
	}
	var t *textOnly
	err = a.documents.read(ctx, at, size, hint, func() taker { t = &textOnly{}; return t })
	if ctx.Err() != nil {
		return "", false, ctx.Err()
	}
	return t.text.String(), t.more || err != nil, nil
}

// textOnly takes the text of a file, and nothing else.
type textOnly struct {
	text strings.Builder
	more bool
}

// Text implements [extract.Handler], and so do the following.
func (t *textOnly) Text(_ string, p []byte) {
	room := maxIndexed - t.text.Len()
	if len(p) >= room {
		p, t.more = p[:max(room-1, 0)], true
	}
	t.text.Write(p)
	if t.text.Len() < maxIndexed {
		t.text.WriteByte('\n')
	}
}

// Member refuses files of archives: their texts come by themselves.
func (t *textOnly) Member(string) io.WriteCloser { return nil }

// Note notes that there is more.
func (t *textOnly) Note(string, extract.Note, string) { t.more = true }

// Hashed tells of files of archives, which are no text.
func (t *textOnly) Hashed(string, [32]byte, uint64) {}

// Label is no text.
func (t *textOnly) Label(string, string) {}
