package control

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// Route is one thing that can be asked.
type Route struct {
	Method, Path string
	Access       Access // that it needs
	Text         string // what it does, for people
	slow         bool   // it may take minutes
	answer       func(*Server, *http.Request) (any, error)
}

// Routes is the table of everything that can be asked.
var Routes = []Route{
	{"GET", "/api/v1/status", Read, "How the box is: a [Status].", false, look(Operations.Status)},
	{"GET", "/api/v1/alerts", Read, "What an operator must act on: a list of [health.Alert].", false, look(Operations.Alerts)},
	{"GET", "/api/v1/mirrors", Read, "A list of [Mirror].", false, look(Operations.Mirrors)},
	{"GET", "/api/v1/services", Read, "A list of [Service].", false, look(Operations.Services)},
	{"GET", "/api/v1/intakes", Read, "A list of [Intake].", false, look(Operations.Intakes)},
	{"GET", "/api/v1/sessions", Read, "Sessions that match `query`, `limit` of them from `cursor`: a [List]. As application/x-ndjson: a stream of [Event].", false, (*Server).sessions},
	{"GET", "/api/v1/sessions/{id}", Read, "What is known of a session: a [Detail].", false, (*Server).session},
	{"DELETE", "/api/v1/sessions/{id}", Full, "Resets an open session.", false, (*Server).endSession},
	{"GET", "/api/v1/top", Read, "Who has most of the traffic, measured for the time `window`: a [Top] of `limit` rows each.", false, (*Server).top},
	{"GET", "/api/v1/learned", Read, "What was learned of sessions: a list of [learn.Entry].", false, look(Operations.Learned)},
	{"POST", "/api/v1/learned/{id}", Full, "Keeps an entry beyond its time, or lets it expire: {\"kept\": true}.", false, (*Server).keepLearned},
	{"DELETE", "/api/v1/learned/{id}", Full, "Forgets an entry.", false, (*Server).deleteLearned},
	{"GET", "/api/v1/metrics", Read, "All metrics, in the text format of Prometheus.", false, (*Server).metrics},
	{"GET", "/api/v1/config", Full, "The configuration file without comments and secrets.", false, (*Server).configuration},
	{"GET", "/api/v1/log", Full, "The last lines of the log, without secrets.", false, (*Server).recent},
	{"POST", "/api/v1/reload", Full, "Reads the configuration again: a [Reloaded].", true, (*Server).reload},
}

// handler returns what answers requests.
func (s *Server) handler() http.Handler {
	mux := http.NewServeMux()
	for _, r := range Routes {
		mux.HandleFunc(r.Method+" "+r.Path, func(w http.ResponseWriter, q *http.Request) { s.run(w, q, r) })
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, q *http.Request) {
		refuse(w, NewProblem(TypeNotFound, fmt.Sprintf("there is no %s %s", q.Method, q.URL.Path)))
	})
	return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if peer, _ := q.Context().Value(peerKey{}).(Peer); peer.Access < Read {
			refuse(w, NewProblem(TypeForbidden, fmt.Sprintf("user %d is neither root, nor the user of the process, nor of the group %s", peer.User, Group)))
			return
		}
		q.Body = http.MaxBytesReader(w, q.Body, maxBody)
		mux.ServeHTTP(w, q)
	})
}

// run answers a request by a route, if its peer may ask that.
func (s *Server) run(w http.ResponseWriter, q *http.Request, r Route) {
	peer, _ := q.Context().Value(peerKey{}).(Peer)
	if peer.Access < r.Access {
		refuse(w, NewProblem(TypeForbidden, fmt.Sprintf("members of the group %s may read: changes need root or the user of the process", Group)))
		return
	}
	if r.Access == Full {
		s.log.Info("operator asks for a change", "request", r.Method+" "+q.URL.Path, "user", peer.User, "pid", peer.Process)
	}
	if r.slow {
		http.NewResponseController(w).SetWriteDeadline(time.Now().Add(slowTimeout))
	}
	if stream, ok := streams[r.Method+" "+r.Path]; ok && q.Header.Get("Accept") == ndjson {
		s.stream(w, q, stream)
		return
	}
	answer, err := r.answer(s, q)
	if err != nil {
		refuse(w, err)
		return
	}
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	if text, ok := answer.(Text); ok {
		h.Set("Content-Type", text.Type)
		w.Write(text.Body)
		return
	}
	h.Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(answer)
}

// ndjson is the content type of streams.
const ndjson = "application/x-ndjson"

// streams are the routes that can be followed. Their functions return an error before they
// have written anything.
var streams = map[string]func(*Server, http.ResponseWriter, *http.Request) error{
	"GET /api/v1/sessions": (*Server).follow,
}

// stream answers with a stream, if there may be one more.
func (s *Server) stream(w http.ResponseWriter, q *http.Request, run func(*Server, http.ResponseWriter, *http.Request) error) {
	ended, ok := s.takeStream()
	if !ok {
		refuse(w, NewProblem(TypeBusy, fmt.Sprintf("%d streams are open: no more are allowed", maxStreams)))
		return
	}
	defer ended()
	if err := run(s, w, q); err != nil {
		refuse(w, err)
	}
}

// takeStream counts one more stream, if there may be one. ended takes it back.
func (s *Server) takeStream() (ended func(), ok bool) {
	select {
	case s.streams <- struct{}{}:
		return func() { <-s.streams }, true
	default:
		return nil, false
	}
}

// look answers with what an operation tells.
func look[T any](tell func(Operations) T) func(*Server, *http.Request) (any, error) {
	return func(s *Server, _ *http.Request) (any, error) { return tell(s.operations), nil }
}

func (s *Server) reload(q *http.Request) (any, error) { return s.operations.Reload(q.Context()) }
