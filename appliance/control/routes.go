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
	{"GET", "/api/v1/status", Read, "How the box is: a [Status].", false, (*Server).status},
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
	answer, err := r.answer(s, q)
	if err != nil {
		refuse(w, err)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	json.NewEncoder(w).Encode(answer)
}

func (s *Server) status(*http.Request) (any, error) { return s.operations.Status(), nil }

func (s *Server) reload(q *http.Request) (any, error) { return s.operations.Reload(q.Context()) }
