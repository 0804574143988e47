package analyst

import (
	"bytes"

	"github.com/clearspan/clearspan/appliance/dissect"
	"github.com/clearspan/clearspan/appliance/recorder/trail"
	"github.com/clearspan/clearspan/decrypt/proto"
)

// maxSockets bounds the connections of WebSocket in a session whose address is known.
const maxSockets = 256

// socket is where a connection of WebSocket was opened.
type socket struct{ host, uri, agent string }

// opened notes a request behind which WebSocket may begin.
func (s *session) opened(r *dissect.Answer, e *event) {
	upgraded := r.Status == 101 || e.Method == "CONNECT" && r.Status/100 == 2
	if !upgraded || len(s.sockets) >= maxSockets {
		return
	}
	if s.sockets == nil {
		s.sockets = make(map[uint64]socket)
	}
	s.sockets[r.Number] = socket{e.Host, e.URI, e.Agent}
}

// socket begins an event of a message of WebSocket.
func (s *session) socket(m *dissect.WebSocket) {
	e := s.event(trail.Message)
	e.Protocol, e.messages = "websocket", 1
	e.Method = "send"
	if m.Direction == proto.OriginToClient {
		e.Method = "get"
	}
	from := s.sockets[m.Opening]
	e.Host, e.URI, e.Agent = from.host, from.uri, from.agent
	e.text = m.Text
	m.Tag = e
}

// guess tells the type of a text, which WebSocket does not, by its first octets.
func (e *event) guess(dir proto.Direction, p []byte) {
	if !e.text || e.streams[dir] != nil {
		return
	}
	e.about[dir].Type = "text/plain"
	if p = bytes.TrimLeft(p, " \t\r\n"); len(p) > 0 && (p[0] == '{' || p[0] == '[') {
		e.about[dir].Type = "application/json"
	}
}
