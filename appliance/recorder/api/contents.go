package api

import (
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/clearspan/clearspan/appliance/recorder"
	"github.com/clearspan/clearspan/appliance/recorder/extract"
	"github.com/clearspan/clearspan/appliance/recorder/trail"
)

// Object is one in an answer.
type Object struct {
	Object  string              `json:"object"` // SHA-256
	Size    uint64              `json:"size"`
	Type    string              `json:"type,omitempty"`
	Holes   uint64              `json:"holes"`
	Missing []recorder.HoleLine `json:"missing,omitempty"`
	Kept    bool                `json:"kept"`
	First   string              `json:"first"`
}

func hash(q *http.Request) (trail.Hash, error) {
	h, err := trail.ParseHash(q.PathValue("sha"))
	if err != nil {
		return h, bad(err)
	}
	return h, nil
}

func (s *server) object(w http.ResponseWriter, q *http.Request) error {
	h, err := hash(q)
	if err != nil {
		return err
	}
	o, err := s.Archive.Trail.Object(q.Context(), h)
	if err != nil {
		return err
	}
	x := Object{Object: h.String(), Size: o.Size, Type: o.Type, Holes: uint64(len(o.Holes)) + o.More, Kept: o.Stored > 0, First: stamp(o.First)}
	for _, hole := range o.Holes {
		x.Missing = append(x.Missing, recorder.HoleLine(hole))
	}
	return reply(w, x)
}

func (s *server) sightings(w http.ResponseWriter, q *http.Request) error {
	h, err := hash(q)
	if err != nil {
		return err
	}
	x, err := question(q)
	if err != nil {
		return err
	}
	answer := Events{Events: []Event{}}
	err = s.Archive.Trail.Sightings(q.Context(), h, x.Limit, func(e *trail.Full) bool {
		answer.Events = append(answer.Events, eventOf(e))
		return true
	})
	if err == nil && len(answer.Events) == 0 {
		err = trail.ErrNone
	}
	if err != nil {
		return err
	}
	return reply(w, answer)
}

// attach sets the headers of contents: no browser shows or runs them.
func attach(w http.ResponseWriter, name, media string) {
	h := w.Header()
	h.Set("Content-Type", media)
	h.Set("Content-Disposition", `attachment; filename="`+name+`"`)
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
}

// send sends the octets of an object, whose name is that of its hash: what strangers called it
// is in its sightings.
func (s *server) send(w http.ResponseWriter, h trail.Hash, ending, media string) error {
	o, err := s.Archive.Content().Open(h)
	if errors.Is(err, fs.ErrNotExist) {
		return recorder.ErrNotKept
	}
	if err != nil {
		return err
	}
	defer o.Close()
	attach(w, h.String()[:16]+ending, media)
	_, err = io.Copy(w, o)
	return err
}

func (s *server) content(w http.ResponseWriter, q *http.Request) error {
	h, err := hash(q)
	if err != nil {
		return err
	}
	return s.send(w, h, ".bin", "application/octet-stream")
}

// Text is the text of an object.
type Text struct {
	Text string `json:"text"`
	More bool   `json:"more"` // not all of it is here
}

func (s *server) text(w http.ResponseWriter, q *http.Request) error {
	h, err := hash(q)
	if err != nil {
		return err
	}
	hint := extract.Hint{}
	err = s.Archive.Trail.Sightings(q.Context(), h, 1, func(e *trail.Full) bool {
		for i := range e.Sightings {
			if x := &e.Sightings[i]; x.Hash == h {
				hint = extract.Hint{Name: x.Name, Type: x.Type}
			}
		}
		return false
	})
	if err != nil {
		return err
	}
	text, more, err := s.Archive.Text(q.Context(), h, hint)
	if errors.Is(err, fs.ErrNotExist) {
		return recorder.ErrNotKept
	}
	if err != nil {
		return err
	}
	return reply(w, Text{text, more})
}

// mail sends the message of an event. HTML in it stays as it is: nothing is rendered here.
func (s *server) mail(w http.ResponseWriter, q *http.Request) error {
	name, ok := strings.CutSuffix(q.PathValue("file"), ".eml")
	if !ok {
		return trail.ErrNone
	}
	id, err := trail.ParseID(name)
	if err != nil {
		return bad(err)
	}
	x, err := s.Archive.Trail.Event(q.Context(), id)
	if err != nil {
		return err
	}
	for i := range x.Sightings {
		if x.Sightings[i].Type == "message/rfc822" {
			return s.send(w, x.Sightings[i].Hash, ".eml", "application/octet-stream")
		}
	}
	return trail.ErrNone
}

// late writes headers with the first octets: until then, an error can be told.
type late struct {
	http.ResponseWriter
	begin func()
}

func (l *late) Write(p []byte) (int, error) {
	if l.begin != nil {
		l.begin()
		l.begin = nil
	}
	return l.ResponseWriter.Write(p)
}

func (s *server) pcapng(w http.ResponseWriter, q *http.Request) error {
	x, err := s.sessionOf(q)
	if err != nil {
		return err
	}
	out := &late{w, func() { attach(w, x.ID.String()+".pcapng", "application/octet-stream") }}
	_, err = s.Archive.Packets(q.Context(), s.Directory, x, out)
	return err
}

func (s *server) sessionOf(q *http.Request) (*trail.Session, error) {
	id, err := id(q)
	if err != nil {
		return nil, err
	}
	return s.Archive.Trail.Session(q.Context(), id)
}

// Piece is a line of a stream.
type Piece struct {
	Direction string `json:"direction"` // sent or received, by the client
	Time      string `json:"time"`
	Octets    []byte `json:"octets,omitempty"` // base64
	Lost      uint64 `json:"lost,omitempty"`   // octets that are not there
}

func (s *server) stream(w http.ResponseWriter, q *http.Request) error {
	x, err := s.sessionOf(q)
	if err != nil {
		return err
	}
	out := &late{w, func() { attach(w, x.ID.String()+".jsonl", "application/x-ndjson") }}
	lines := json.NewEncoder(out)
	return s.Archive.Stream(q.Context(), s.Directory, x, func(p recorder.Piece) error {
		return lines.Encode(Piece{p.Direction.String(), stamp(p.At), p.Octets, p.Lost})
	})
}

func (s *server) status(w http.ResponseWriter, _ *http.Request) error {
	x, err := recorder.ReadStatus(s.Directory)
	if errors.Is(err, fs.ErrNotExist) {
		return trail.ErrNone
	}
	if err != nil {
		return err
	}
	return reply(w, x)
}

// verify verifies the directory. One at a time does.
func (s *server) verify(w http.ResponseWriter, q *http.Request) error {
	select {
	case s.verifying <- struct{}{}:
		defer func() { <-s.verifying }()
	default:
		return &problem{http.StatusServiceUnavailable, "a verification is under way"}
	}
	v, err := s.Archive.Verify(q.Context(), s.Directory, nil, nil)
	if err != nil {
		return err
	}
	return reply(w, v)
}

// Accesses is the end of the log of accesses, the newest last.
type Accesses struct {
	Accesses []json.RawMessage `json:"accesses"`
}

func (s *server) access(w http.ResponseWriter, q *http.Request) error {
	limit := defaultPage
	if text := q.URL.Query().Get("limit"); text != "" {
		var err error
		if limit, err = strconv.Atoi(text); err != nil || limit < 1 || limit > trail.MaxPage {
			return &problem{http.StatusBadRequest, "limit: want 1 to " + strconv.Itoa(trail.MaxPage)}
		}
	}
	lines, err := lastLines(filepath.Join(s.Directory, recorder.AccessName), limit)
	if err != nil {
		return err
	}
	return reply(w, Accesses{lines})
}
