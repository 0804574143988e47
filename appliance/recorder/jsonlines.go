package recorder

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"time"

	"github.com/clearspan/clearspan/appliance/recorder/trail"
)

// JSONLines writes rows as lines of JSON: one an event, one a sighting of an object, one a
// finding. It implements [analyst.Output].
type JSONLines struct {
	w   *bufio.Writer
	enc *json.Encoder
}

// NewJSONLines returns one that writes to w, at the end of each batch at the latest.
func NewJSONLines(w io.Writer) *JSONLines {
	b := bufio.NewWriterSize(w, 64<<10)
	j := &JSONLines{b, json.NewEncoder(b)}
	j.enc.SetEscapeHTML(false)
	return j
}

// EventLine is an event.
type EventLine struct {
	Event     string   `json:"event"` // its kind: request, mail, file, lookup, login ...
	Time      string   `json:"time"`
	Session   string   `json:"session"`
	ID        string   `json:"id"`
	Protocol  string   `json:"protocol"`
	Client    string   `json:"client"`
	Server    string   `json:"server"`
	Method    string   `json:"method,omitempty"`
	Host      string   `json:"host,omitempty"`
	URI       string   `json:"uri,omitempty"`
	Status    int      `json:"status,omitempty"`
	Type      string   `json:"type,omitempty"`
	Agent     string   `json:"agent,omitempty"`
	Referrer  string   `json:"referrer,omitempty"`
	Sender    string   `json:"sender,omitempty"`
	Rcpt      []string `json:"rcpt,omitempty"` // of the envelope
	To        []string `json:"to,omitempty"`   // of the header, with CC
	Subject   string   `json:"subject,omitempty"`
	MessageID string   `json:"message_id,omitempty"`
	User      string   `json:"user,omitempty"`
	Mechanism string   `json:"mechanism,omitempty"`
	Answers   string   `json:"answers,omitempty"`
	Outcome   string   `json:"outcome,omitempty"`
	Sent      uint64   `json:"octets_sent"`
	Received  uint64   `json:"octets_received"`
}

// ObjectLine is a sighting of an object.
type ObjectLine struct {
	Object    string     `json:"object"` // SHA-256
	Size      uint64     `json:"size"`
	Holes     uint64     `json:"holes"` // how many; their octets count as zeros
	Missing   []HoleLine `json:"missing,omitempty"`
	Name      string     `json:"name"`
	RawName   string     `json:"raw_name,omitempty"`
	Direction string     `json:"direction"`
	Protocol  string     `json:"protocol"`
	Client    string     `json:"client"`
	Server    string     `json:"server"`
	Host      string     `json:"host"`
	URI       string     `json:"uri"`
	Subject   string     `json:"subject"`
	Time      string     `json:"time"`
	Type      string     `json:"type,omitempty"`     // by its octets
	Declared  string     `json:"declared,omitempty"` // by the sender
	Field     string     `json:"field,omitempty"`
	Part      string     `json:"part,omitempty"`
	Parent    string     `json:"parent,omitempty"` // SHA-256 of what it lies in
	Ending    string     `json:"ending"`
	Event     string     `json:"event_id"`
}

// HoleLine is a run of octets that are lost.
type HoleLine struct {
	At   uint64 `json:"at"`
	Size uint64 `json:"size"`
}

// FindingLine is personal or confidential data in an object.
type FindingLine struct {
	Finding string `json:"finding"`
	Count   uint64 `json:"count"`
	Object  string `json:"object"`
	Sample  string `json:"sample,omitempty"`
	Place   string `json:"place,omitempty"`
	Score   int    `json:"score"`
	Rule    string `json:"rule,omitempty"`
	Event   string `json:"event_id,omitempty"`
	Time    string `json:"time,omitempty"`
}

// Write writes a batch. Objects stand behind their event.
func (j *JSONLines) Write(_ context.Context, b *trail.Batch) error {
	objects := make(map[trail.Hash]*trail.Object, len(b.Objects))
	for i := range b.Objects {
		objects[b.Objects[i].Hash] = &b.Objects[i]
	}
	sightings := make(map[trail.ID][]*trail.Sighting, len(b.Sightings))
	for i := range b.Sightings {
		x := &b.Sightings[i]
		sightings[x.Event] = append(sightings[x.Event], x)
	}
	for i := range b.Events {
		e := &b.Events[i]
		if err := j.enc.Encode(EventLineOf(e)); err != nil {
			return err
		}
		for _, x := range sightings[e.ID] {
			if err := j.enc.Encode(ObjectLineOf(e, x, objects[x.Hash])); err != nil {
				return err
			}
		}
	}
	for i := range b.Findings {
		if err := j.enc.Encode(FindingLineOf(&b.Findings[i])); err != nil {
			return err
		}
	}
	return j.w.Flush()
}

// Full writes an event out of a trail.
func (j *JSONLines) Full(x *trail.Full) error {
	if err := j.enc.Encode(EventLineOf(&x.Event)); err != nil {
		return err
	}
	for i := range x.Sightings {
		o, known := x.Objects[x.Sightings[i].Hash]
		object := &o
		if !known {
			object = nil
		}
		if err := j.enc.Encode(ObjectLineOf(&x.Event, &x.Sightings[i], object)); err != nil {
			return err
		}
	}
	for i := range x.Findings {
		if err := j.enc.Encode(FindingLineOf(&x.Findings[i])); err != nil {
			return err
		}
	}
	return j.w.Flush()
}

// EventLineOf returns the line of an event.
func EventLineOf(e *trail.Event) EventLine {
	l := EventLine{
		Event: e.Kind, Time: stamp(e.At), Session: e.Session.String(), ID: e.ID.String(), Protocol: e.Protocol,
		Client: e.Client.String(), Server: e.Server.String(), Method: e.Method, Host: e.Host, URI: e.URI, Status: e.Status,
		Type: e.Type, Agent: e.Agent, Referrer: e.Referrer, Sender: e.Sender, Subject: e.Subject, MessageID: e.MessageID,
		User: e.User, Mechanism: e.Mechanism, Answers: e.Answers, Outcome: e.Outcome, Sent: e.Up, Received: e.Down,
	}
	for _, p := range e.Parties {
		switch p.Role {
		case trail.Recipient:
			l.Rcpt = append(l.Rcpt, p.Address)
		case trail.To, trail.CC:
			l.To = append(l.To, p.Address)
		}
	}
	return l
}

// ObjectLineOf returns the line of a sighting in an event. The object may be nil.
func ObjectLineOf(e *trail.Event, x *trail.Sighting, o *trail.Object) ObjectLine {
	l := ObjectLine{
		Object: x.Hash.String(), Size: x.Size, Name: x.Name, RawName: x.RawName, Direction: x.Direction.String(),
		Protocol: e.Protocol, Client: e.Client.String(), Server: e.Server.String(), Host: e.Host, URI: e.URI, Subject: e.Subject,
		Time: stamp(x.At), Declared: x.Type, Field: x.Field, Part: x.Part, Ending: x.Ending, Event: e.ID.String(),
	}
	if !x.Parent.IsZero() {
		l.Parent = x.Parent.String()
	}
	if o != nil {
		l.Type, l.Holes = o.Type, uint64(len(o.Holes))+o.More
		for _, h := range o.Holes {
			l.Missing = append(l.Missing, HoleLine(h))
		}
	}
	return l
}

// FindingLineOf returns the line of a finding.
func FindingLineOf(f *trail.Finding) FindingLine {
	return FindingLine{
		Finding: f.Detector, Count: f.Count, Object: f.Hash.String(), Sample: f.Sample, Place: f.Place, Score: f.Score,
		Rule: f.Rule, Event: f.Event.String(), Time: stamp(f.At),
	}
}

// stamp writes a time in UTC, RFC 3339; "" if there is none.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}
