package adapt

import "errors"

// Errors of services whose message cannot take the place of another.
var (
	ErrUnsound = errors.New("the service's message cannot be sent")
	ErrLength  = errors.New("the service's body is not as long as its header says")
)

// sound reports whether what a service returned can take the place of m.
func sound(r *Result, m *Message) error {
	if r == nil {
		return ErrUnsound
	}
	if r.Outcome == Unmodified {
		if (r.Body != nil) != (m.Body != nil) {
			return ErrUnsound
		}
		return nil
	}
	if !whole(r.Header) {
		return ErrUnsound
	}
	kind := m.Kind
	if r.Outcome == Blocked {
		kind = Response
	}
	if kind == Response {
		if h, ok := ParseHead(r.Header, Response); !ok || h.Status < 200 {
			return ErrUnsound
		}
		return nil
	}
	before, _ := ParseHead(m.Request, Request)
	h, ok := ParseHead(r.Header, Request)
	if !ok || h.Is("HEAD") != before.Is("HEAD") || h.Is("CONNECT") != before.Is("CONNECT") {
		return ErrUnsound
	}
	return nil
}
