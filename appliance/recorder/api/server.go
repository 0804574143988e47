package api

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/clearspan/clearspan/appliance/recorder"
	"github.com/clearspan/clearspan/appliance/recorder/content"
	"github.com/clearspan/clearspan/appliance/recorder/trail"
	"github.com/clearspan/clearspan/appliance/recorder/volume"
)

// Prefix is in front of all routes.
const Prefix = "/api/v1/recorder/"

// Access is a request by a valid token.
type Access struct {
	At     time.Time `json:"at"`
	Who    string    `json:"who"` // the name of the token
	From   string    `json:"from"`
	Role   Role      `json:"role"`
	Route  string    `json:"route"`
	What   string    `json:"what"` // path and query, without case and reason
	Case   string    `json:"case,omitempty"`
	Reason string    `json:"reason,omitempty"`
}

// Config is what an API needs.
type Config struct {
	Directory string // of the recorder
	Archive   *recorder.Archive
	Tokens    *Tokens
	Log       func(Access) error // required
	Logger    *slog.Logger       // nil: nobody is told of failures
}

// Route is one that there is.
type Route struct {
	Pattern string // of net/http, below [Prefix]
	Role    Role
	Content bool // needs a case and a reason
	About   string
	serve   func(*server, http.ResponseWriter, *http.Request) error
}

// Routes are all of them.
var Routes = []Route{
	{"events", Viewer, false, "events, with the objects and findings in them", (*server).events},
	{"events/{id}", Viewer, false, "one event", (*server).event},
	{"sessions", Viewer, false, "sessions of the events that a query finds", (*server).sessions},
	{"sessions/{id}", Viewer, false, "one session", (*server).session},
	{"sessions/{id}/pcapng", Investigator, true, "the frames of a session", (*server).pcapng},
	{"sessions/{id}/stream", Investigator, true, "what both ends said, as lines of JSON", (*server).stream},
	{"objects/{sha}", Viewer, false, "one object", (*server).object},
	{"objects/{sha}/sightings", Viewer, false, "the events in which an object was seen", (*server).sightings},
	{"objects/{sha}/content", Investigator, true, "the octets of an object", (*server).content},
	{"objects/{sha}/text", Investigator, true, "the text in an object", (*server).text},
	{"mails/{file}", Investigator, true, "the mail of an event: ID.eml", (*server).mail},
	{"findings", Viewer, false, "findings, masked", (*server).findings},
	{"timeline", Viewer, false, "how many events there were, by steps and kinds", (*server).timeline},
	{"top", Viewer, false, "the most frequent values of a field", (*server).top},
	{"status", Viewer, false, "what the recorder does", (*server).status},
	{"verify", Auditor, false, "compares everything with the chain of evidence: it takes a while", (*server).verify},
	{"access", Auditor, false, "who looked at what", (*server).access},
}

const (
	maxQueries  = 8 // at once; others get 503
	queryLimit  = 10 * time.Second
	maxReason   = 500
	defaultPage = 100
)

type server struct {
	Config
	busy      chan struct{}
	verifying chan struct{}
}

// Handler returns what answers requests.
func Handler(c Config) http.Handler {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	s := &server{Config: c, busy: make(chan struct{}, maxQueries), verifying: make(chan struct{}, 1)}
	mux := http.NewServeMux()
	for _, r := range Routes {
		mux.HandleFunc("GET "+Prefix+r.Pattern, func(w http.ResponseWriter, q *http.Request) { s.answer(&r, w, q) })
	}
	return mux
}

// answer answers a request of a route.
func (s *server) answer(r *Route, w http.ResponseWriter, q *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "sandbox; default-src 'none'")
	h.Set("Referrer-Policy", "no-referrer")
	err := s.admit(r, q)
	if err == nil {
		select {
		case s.busy <- struct{}{}:
			defer func() { <-s.busy }()
			err = r.serve(s, w, q)
		default:
			err = &problem{http.StatusServiceUnavailable, "too many requests at once"}
		}
	}
	if err != nil {
		s.refuse(w, q, err)
	}
}

// admit looks whether a request is allowed, and logs it.
func (s *server) admit(r *Route, q *http.Request) error {
	token, ok := strings.CutPrefix(q.Header.Get("Authorization"), "Bearer ")
	if !ok {
		return &problem{http.StatusUnauthorized, "a request needs a token: Authorization: Bearer ..."}
	}
	t, known, err := s.Tokens.find(token)
	switch {
	case err != nil:
		return err
	case !known:
		return &problem{http.StatusUnauthorized, "the token is not known, or has expired"}
	case !slices.Contains(t.Roles, r.Role):
		return &problem{http.StatusForbidden, "it needs the role " + string(r.Role)}
	}
	v := q.URL.Query()
	a := Access{At: time.Now().UTC(), Who: t.Name, From: q.RemoteAddr, Role: r.Role, Route: r.Pattern, Case: v.Get("case"), Reason: v.Get("reason")}
	if r.Content && (strings.TrimSpace(a.Case) == "" || strings.TrimSpace(a.Reason) == "") {
		return &problem{http.StatusForbidden, "contents need the parameters case and reason"}
	}
	if len(a.Case) > maxReason || len(a.Reason) > maxReason {
		return &problem{http.StatusBadRequest, "case and reason have 500 octets at most"}
	}
	v.Del("case")
	v.Del("reason")
	a.What = q.URL.Path
	if len(v) > 0 {
		a.What += "?" + v.Encode()
	}
	return s.Log(a)
}

// problem is an error that the caller is told, RFC 9457.
type problem struct {
	Status int    `json:"status"`
	Detail string `json:"detail"`
}

func (p *problem) Error() string { return p.Detail }

// refuse tells of an error. Of what is not the caller's, only the log has the text.
func (s *server) refuse(w http.ResponseWriter, q *http.Request, err error) {
	p := &problem{http.StatusInternalServerError, "the recorder cannot answer: its log says why"}
	switch {
	case errors.As(err, &p):
	case errors.Is(err, trail.ErrNone):
		p = &problem{http.StatusNotFound, "there is none"}
	case errors.Is(err, recorder.ErrNotKept):
		p = &problem{http.StatusNotFound, "its octets are not kept"}
	case errors.Is(err, content.ErrLocked), errors.Is(err, volume.ErrLocked):
		p = &problem{http.StatusConflict, "it is encrypted: recorder show and export read it with the identity"}
	case errors.Is(err, context.DeadlineExceeded):
		p = &problem{http.StatusServiceUnavailable, "it takes too long: ask for less"}
	case q.Context().Err() != nil:
		return
	default:
		s.Logger.Error("a request cannot be answered", "path", q.URL.Path, "err", err)
	}
	h := w.Header()
	if h.Get("Content-Disposition") != "" && h.Get("Content-Type") != "" { // it has begun
		panic(http.ErrAbortHandler)
	}
	if p.Status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", "Bearer")
	}
	h.Set("Content-Type", "application/problem+json")
	w.WriteHeader(p.Status)
	json.NewEncoder(w).Encode(struct {
		Title string `json:"title"`
		*problem
	}{http.StatusText(p.Status), p})
}

// reply sends an answer.
func reply(w http.ResponseWriter, v any) error {
	w.Header().Set("Content-Type", "application/json")
	e := json.NewEncoder(w)
	e.SetEscapeHTML(true)
	return e.Encode(v)
}
