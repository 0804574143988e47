package api

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/clearspan/clearspan/appliance/recorder"
	"github.com/clearspan/clearspan/appliance/recorder/trail"
)

// Event is one in an answer.
type Event struct {
	recorder.EventLine
	Objects  []recorder.ObjectLine  `json:"objects"`
	Findings []recorder.FindingLine `json:"findings"`
}

// Events is a page of events.
type Events struct {
	Events []Event `json:"events"`
	Next   string  `json:"next,omitempty"` // the cursor of the next page; "": there is none
}

// Session is one in an answer.
type Session struct {
	ID        string   `json:"id"`
	Start     string   `json:"start"`
	End       string   `json:"end"`
	Source    string   `json:"source"`
	Client    string   `json:"client"`
	Server    string   `json:"server"`
	Transport string   `json:"transport"`
	Protocol  string   `json:"protocol,omitempty"`
	VLAN      uint16   `json:"vlan,omitempty"`
	Tunnel    string   `json:"tunnel,omitempty"`
	Sent      uint64   `json:"octets_sent"`
	Received  uint64   `json:"octets_received"`
	Lost      uint64   `json:"octets_lost"`
	Packets   uint64   `json:"packets"`
	Open      bool     `json:"open"`
	Stop      string   `json:"stop,omitempty"`
	Flags     []string `json:"flags,omitempty"`
	SNI       string   `json:"sni,omitempty"`
	ALPN      string   `json:"alpn,omitempty"`
	JA4       string   `json:"ja4,omitempty"`
	TLS       string   `json:"tls,omitempty"`
	Rule      string   `json:"rule,omitempty"`
	Audit     string   `json:"audit,omitempty"`
	User      string   `json:"user,omitempty"`
}

// Sessions is a page of sessions.
type Sessions struct {
	Sessions []Session `json:"sessions"`
	Next     string    `json:"next,omitempty"`
}

// Findings is a page of findings.
type Findings struct {
	Findings []recorder.FindingLine `json:"findings"`
	Next     string                 `json:"next,omitempty"`
}

func bad(err error) error { return &problem{http.StatusBadRequest, err.Error()} }

// question reads the parameters of a list.
func question(q *http.Request) (x trail.Question, err error) {
	v := q.URL.Query()
	if x.Query, err = trail.Language.Parse(v.Get("q")); err != nil {
		return x, bad(err)
	}
	for name, at := range map[string]*time.Time{"from": &x.From, "to": &x.To} {
		if text := v.Get(name); text != "" {
			if *at, err = time.Parse(time.RFC3339Nano, text); err != nil {
				return x, &problem{http.StatusBadRequest, name + ": want a time like 2026-11-01T08:00:00Z"}
			}
		}
	}
	if text := v.Get("cursor"); text != "" {
		if x.Before, err = trail.ParseID(text); err != nil {
			return x, &problem{http.StatusBadRequest, "cursor: want the next of a page"}
		}
	}
	x.Limit = defaultPage
	if text := v.Get("limit"); text != "" {
		if x.Limit, err = strconv.Atoi(text); err != nil || x.Limit < 1 || x.Limit > trail.MaxPage {
			return x, &problem{http.StatusBadRequest, "limit: want 1 to " + strconv.Itoa(trail.MaxPage)}
		}
	}
	return x, nil
}

// page calls f with the events of a page, and returns the cursor of the next one.
func (s *server) page(q *http.Request, f func(*trail.Full) error) (next string, err error) {
	x, err := question(q)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(q.Context(), queryLimit)
	defer cancel()
	n := 0
	var failed error
	err = s.Archive.Trail.Events(ctx, x, func(e *trail.Full) bool {
		if n++; n == x.Limit {
			next = e.ID.String()
		}
		failed = f(e)
		return failed == nil
	})
	if failed != nil {
		err = failed
	}
	return next, err
}

func eventOf(x *trail.Full) Event {
	e := Event{EventLine: recorder.EventLineOf(&x.Event), Objects: []recorder.ObjectLine{}, Findings: []recorder.FindingLine{}}
	for i := range x.Sightings {
		var object *trail.Object
		if o, known := x.Objects[x.Sightings[i].Hash]; known {
			object = &o
		}
		e.Objects = append(e.Objects, recorder.ObjectLineOf(&x.Event, &x.Sightings[i], object))
	}
	for i := range x.Findings {
		e.Findings = append(e.Findings, recorder.FindingLineOf(&x.Findings[i]))
	}
	return e
}

func (s *server) events(w http.ResponseWriter, q *http.Request) (err error) {
	answer := Events{Events: []Event{}}
	answer.Next, err = s.page(q, func(x *trail.Full) error {
		answer.Events = append(answer.Events, eventOf(x))
		return nil
	})
	if err != nil {
		return err
	}
	return reply(w, answer)
}

// id reads an identifier in the path.
func id(q *http.Request) (trail.ID, error) {
	id, err := trail.ParseID(q.PathValue("id"))
	if err != nil {
		return id, bad(err)
	}
	return id, nil
}

func (s *server) event(w http.ResponseWriter, q *http.Request) error {
	id, err := id(q)
	if err != nil {
		return err
	}
	x, err := s.Archive.Trail.Event(q.Context(), id)
	if err != nil {
		return err
	}
	return reply(w, eventOf(x))
}

func sessionOf(s *trail.Session) Session {
	x := Session{
		ID: s.ID.String(), Start: stamp(s.Start), End: stamp(s.End), Source: s.Source, Client: s.Client.String(), Server: s.Server.String(),
		Transport: s.Transport, Protocol: s.Protocol, VLAN: s.VLAN, Tunnel: s.Tunnel, Sent: s.Up, Received: s.Down, Lost: s.GapUp + s.GapDown,
		Packets: s.Packets, Open: s.Open, Stop: s.Stop, SNI: s.SNI, ALPN: s.ALPN, JA4: s.JA4, TLS: s.TLS, Rule: s.Rule, Audit: s.Audit, User: s.User,
	}
	for _, f := range []struct {
		flag trail.Flags
		name string
	}{{trail.Midstream, "midstream"}, {trail.Reset, "reset"}, {trail.Ambiguous, "ambiguous"}, {trail.Idle, "idle"}} {
		if s.Flags&f.flag != 0 {
			x.Flags = append(x.Flags, f.name)
		}
	}
	return x
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// sessions lists the sessions of events. One that has events in two pages is in both.
func (s *server) sessions(w http.ResponseWriter, q *http.Request) (err error) {
	answer := Sessions{Sessions: []Session{}}
	seen := make(map[trail.ID]bool)
	var ids []trail.ID
	answer.Next, err = s.page(q, func(x *trail.Full) error {
		if !seen[x.Event.Session] {
			seen[x.Event.Session] = true
			ids = append(ids, x.Event.Session)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, id := range ids {
		x, err := s.Archive.Trail.Session(q.Context(), id)
		if err != nil {
			continue // its row comes later than those of its events
		}
		answer.Sessions = append(answer.Sessions, sessionOf(x))
	}
	return reply(w, answer)
}

func (s *server) session(w http.ResponseWriter, q *http.Request) error {
	id, err := id(q)
	if err != nil {
		return err
	}
	x, err := s.Archive.Trail.Session(q.Context(), id)
	if err != nil {
		return err
	}
	return reply(w, sessionOf(x))
}

// findings lists those of the events that a query finds.
func (s *server) findings(w http.ResponseWriter, q *http.Request) (err error) {
	v := q.URL.Query()
	text := "finding:*"
	if asked := v.Get("q"); asked != "" {
		text = "(" + asked + ") finding:*"
	}
	if _, err := trail.Language.Parse(v.Get("q")); err != nil {
		return bad(err)
	}
	v.Set("q", text)
	q = q.Clone(q.Context())
	q.URL.RawQuery = v.Encode()
	answer := Findings{Findings: []recorder.FindingLine{}}
	answer.Next, err = s.page(q, func(x *trail.Full) error {
		for i := range x.Findings {
			answer.Findings = append(answer.Findings, recorder.FindingLineOf(&x.Findings[i]))
		}
		return nil
	})
	if err != nil {
		return err
	}
	return reply(w, answer)
}
