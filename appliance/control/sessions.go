package control

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/clearspan/clearspan/appliance/query"
	"github.com/clearspan/clearspan/appliance/watch"
)

// DefaultList is how many sessions a list has if nothing else is asked for.
const DefaultList = 100

// List is a part of the list of sessions.
type List struct {
	Sessions []watch.Row  `json:"sessions"` // the youngest open one first, the oldest ended one last
	Next     watch.Cursor `json:"next"`     // where the list goes on; "": it does not
	// Missing are the numbers of workers that did not answer: their sessions are not listed.
	Missing []int `json:"missing,omitempty"`
}

// Event is one object of a stream of sessions: a session, or how many were missed because
// the client did not read.
type Event struct {
	*watch.Row
	Missed uint64 `json:"missed,omitempty"`
}

// Detail is all that is known of a session.
type Detail struct {
	watch.Row
	Entry json.RawMessage `json:"entry,omitempty"` // of the audit trail; of an open session: what it would say now
}

// question reads the parameter "query".
func question(v url.Values) (*query.Query, error) {
	q, err := query.Parse(v.Get("query"))
	if err != nil {
		return nil, NewProblem(TypeRequest, fmt.Sprintf("query: %v", err))
	}
	return q, nil
}

// number reads a parameter that is a number from 1 to most, def if it is not there.
func number(v url.Values, name string, def, most int) (int, error) {
	text := v.Get(name)
	if text == "" {
		return def, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > most {
		return 0, NewProblem(TypeRequest, fmt.Sprintf("%s: want a number from 1 to %d", name, most))
	}
	return n, nil
}

func (s *Server) sessions(q *http.Request) (any, error) {
	v := q.URL.Query()
	asked, err := question(v)
	if err != nil {
		return nil, err
	}
	limit, err := number(v, "limit", DefaultList, watch.MaxList)
	if err != nil {
		return nil, err
	}
	list, err := s.operations.Sessions(asked, limit, watch.Cursor(v.Get("cursor")))
	if errors.Is(err, watch.ErrCursor) {
		return nil, NewProblem(TypeRequest, "cursor: "+err.Error())
	}
	list.Sessions = append([]watch.Row{}, list.Sessions...) // not null
	return list, err
}

// noSession is the problem of a session that is not there.
func noSession(id string) *Problem {
	return NewProblem(TypeNotFound, fmt.Sprintf("there is no session %q: the box knows the open ones and the last %d that ended", id, watch.DefaultEnded))
}

func (s *Server) session(q *http.Request) (any, error) {
	id := q.PathValue("id")
	if d, found := s.operations.Session(id); found {
		return d, nil
	}
	return nil, noSession(id)
}

func (s *Server) endSession(q *http.Request) (any, error) {
	id := q.PathValue("id")
	if s.operations.EndSession(id) {
		return struct{}{}, nil
	}
	if d, found := s.operations.Session(id); found && d.State == watch.Ended {
		return nil, NewProblem(TypeNotFound, fmt.Sprintf("session %s has ended already", id))
	}
	return nil, noSession(id)
}

// follow streams sessions as they begin to be relayed and when they end.
func (s *Server) follow(w http.ResponseWriter, q *http.Request) error {
	asked, err := question(q.URL.Query())
	if err != nil {
		return err
	}
	sub, err := s.operations.Subscribe(asked)
	if err != nil {
		return NewProblem(TypeBusy, err.Error())
	}
	defer sub.Close()
	to := newStream(w)
	if err := to.flush(); err != nil {
		return nil // the client is gone
	}
	told := uint64(0)
	for {
		var row watch.Row
		select {
		case <-q.Context().Done():
			return nil
		case <-s.ending.Done():
			return nil
		case row = <-sub.C:
		}
		if missed := sub.Missed(); missed > told {
			to.write(Event{Missed: missed - told})
			told = missed
		}
		to.write(Event{Row: &row})
		for more := len(sub.C); more > 0; more-- { // one system call for all that waits
			row := <-sub.C
			to.write(Event{Row: &row})
		}
		if err := to.flush(); err != nil {
			return nil
		}
	}
}

// stream writes a line an object.
type stream struct {
	encoder *json.Encoder
	control *http.ResponseController
	err     error
}

func newStream(w http.ResponseWriter) *stream {
	h := w.Header()
	h.Set("Content-Type", ndjson)
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusOK)
	t := &stream{encoder: json.NewEncoder(w), control: http.NewResponseController(w)}
	t.control.SetReadDeadline(time.Time{}) // the client has nothing more to say
	return t
}

// write writes an object. A client that takes nothing for the time of an answer is gone.
func (t *stream) write(object any) {
	if t.err == nil {
		t.control.SetWriteDeadline(time.Now().Add(writeTimeout))
		t.err = t.encoder.Encode(object)
	}
}

func (t *stream) flush() error {
	if t.err == nil {
		t.control.SetWriteDeadline(time.Now().Add(writeTimeout))
		t.err = t.control.Flush()
	}
	return t.err
}
