package dissect

import (
	"sync"

	"github.com/clearspan/clearspan/decrypt/proto/http1"
)

// Sessions rest most of the time. What one needs only within a call, or while a message
// is under way, it takes from a pool and gives back.
var (
	eventPool    = sync.Pool{New: func() any { return new(events) }}
	exchangePool = sync.Pool{New: func() any { return new(http1Exchange) }}
	contentPool  = sync.Pool{New: func() any { return new(http1.Content) }}
)

// events are where a session makes its events, so that it does not allocate them.
type events struct {
	request   Request
	answer    Answer
	sender    Sender
	recipient Recipient
	message   Message
	header    Header
	reply     Reply
	part      Part
	socket    WebSocket
	login     Login
	channel   Channel
	command   Command
	transfer  Transfer
	file      File
	change    Change
	lookup    Lookup
	tls       TLS
	holder    Holder
	end       End
	stop      Stop
}

// event returns where to make events until [Session.rest].
func (s *Session) event() *events {
	if s.events == nil {
		s.events = eventPool.Get().(*events)
	}
	return s.events
}

// rest gives back the events, and with them all that they borrow. Each call from
// outside ends with it.
func (s *Session) rest() {
	if s.events != nil {
		*s.events = events{}
		eventPool.Put(s.events)
		s.events = nil
	}
}
