package control

import (
	"encoding/json"
	"fmt"
	"net/http"
)

// Kept is the body of a request that changes a learned entry.
type Kept struct {
	Kept *bool `json:"kept"` // required
}

func (s *Server) keepLearned(q *http.Request) (any, error) {
	var change Kept
	d := json.NewDecoder(q.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(&change); err != nil || change.Kept == nil {
		return nil, NewProblem(TypeRequest, `want {"kept": true} or {"kept": false}`)
	}
	return learned(q.PathValue("id"), s.operations.KeepLearned(q.PathValue("id"), *change.Kept))
}

func (s *Server) deleteLearned(q *http.Request) (any, error) {
	return learned(q.PathValue("id"), s.operations.DeleteLearned(q.PathValue("id")))
}

// learned is the answer to a change of an entry.
func learned(id string, found bool) (any, error) {
	if !found {
		return nil, NewProblem(TypeNotFound, fmt.Sprintf("there is no entry %q", id))
	}
	return struct{}{}, nil
}
