package control

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
)

// Problem is an error as clients get it (RFC 9457).
type Problem struct {
	Type   string  `json:"type"` // one of the Type constants
	Title  string  `json:"title"`
	Status int     `json:"status"`
	Detail string  `json:"detail,omitempty"`
	Faults []Fault `json:"errors,omitempty"` // of the configuration
}

// Types of problems. A client goes by them, and people by the detail.
const (
	TypeConfiguration = "urn:clearspan:problem:configuration" // the configuration is bad; the running one stays
	TypeForbidden     = "urn:clearspan:problem:forbidden"     // the user may not do that
	TypeNotFound      = "urn:clearspan:problem:not-found"
	TypeRequest       = "urn:clearspan:problem:request" // the request is not understood
	TypeBusy          = "urn:clearspan:problem:busy"    // a bound is reached; a later try may succeed
	TypeInternal      = "urn:clearspan:problem:internal"
)

// Fault is one fault of a configuration.
type Fault struct {
	File    string `json:"file"`
	Line    int    `json:"line"`   // from 1
	Column  int    `json:"column"` // from 1, in characters
	Message string `json:"message"`
}

// Error returns the detail.
func (p *Problem) Error() string {
	if p.Detail == "" {
		return strings.ToLower(p.Title)
	}
	return p.Detail
}

// titles say in a few words what a type means, with the status of its answer.
var titles = map[string]struct {
	status int
	title  string
}{
	TypeConfiguration: {http.StatusUnprocessableEntity, "Bad configuration"},
	TypeForbidden:     {http.StatusForbidden, "Not permitted"},
	TypeNotFound:      {http.StatusNotFound, "Not found"},
	TypeRequest:       {http.StatusBadRequest, "Bad request"},
	TypeBusy:          {http.StatusServiceUnavailable, "Busy"},
	TypeInternal:      {http.StatusInternalServerError, "Internal error"},
}

// NewProblem returns a problem of a type.
func NewProblem(kind, detail string) *Problem {
	t := titles[kind]
	return &Problem{Type: kind, Title: t.title, Status: t.status, Detail: detail}
}

// refuse answers with err, as a problem.
func refuse(w http.ResponseWriter, err error) {
	p, ok := errors.AsType[*Problem](err)
	if !ok {
		p = NewProblem(TypeInternal, err.Error())
	}
	h := w.Header()
	h.Set("Content-Type", "application/problem+json")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(p.Status)
	json.NewEncoder(w).Encode(p)
}
