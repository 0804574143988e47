package ws

import (
	"bytes"
	"strconv"

	"github.com/clearspan/clearspan/appliance/service/web/adapt"
	"github.com/clearspan/clearspan/decrypt/proto/http1"
	"github.com/clearspan/clearspan/decrypt/proto/websocket"
)

// IsExtension reports whether a field offers or accepts extensions (RFC 6455, Section
// 11.3.2).
func IsExtension(name []byte) bool { return http1.Is(name, "sec-websocket-extensions") }

// WithoutExtensions returns a copy of the header block of a request that offers no
// extension.
func WithoutExtensions(raw []byte) []byte { return adapt.Without(raw, IsExtension) }

// described are the fields that tell the kind of a message.
var described = map[websocket.Opcode]string{
	websocket.Text:   "Content-Type: text/plain; charset=utf-8\r\nX-WebSocket-Opcode: text\r\n",
	websocket.Binary: "Content-Type: application/octet-stream\r\nX-WebSocket-Opcode: binary\r\n",
}

// message returns a message of WebSocket as services are shown it: as a POST to the URL
// of the handshake, or as the response to one.
func message(handshake []byte, kind adapt.Kind, op websocket.Opcode, length int64) adapt.Message {
	line, _, _ := bytes.Cut(handshake, []byte("\r\n"))
	_, target, _ := bytes.Cut(line, []byte(" "))
	target, _, _ = bytes.Cut(target, []byte(" "))
	request := append(append([]byte("POST "), target...), " HTTP/1.1\r\n"...)
	for f := range http1.Fields(http1.Section(handshake)) {
		if shown(f.Name) {
			request = append(request, f.Line...)
		}
	}
	m := adapt.Message{Kind: kind, Length: length, WebSocket: true}
	if kind == adapt.Request {
		m.Request = describe(request, op, length)
		return m
	}
	m.Request = append(request, "Content-Length: 0\r\n\r\n"...)
	m.Response = describe([]byte("HTTP/1.1 200 OK\r\n"), op, length)
	return m
}

// shown reports whether the POST keeps a field of the handshake.
func shown(name []byte) bool {
	return http1.Is(name, "host") || http1.Is(name, "user-agent") || http1.Is(name, "origin") || http1.Is(name, "sec-websocket-protocol")
}

// describe appends the fields of a message's content.
func describe(head []byte, op websocket.Opcode, length int64) []byte {
	head = append(head, described[op]+"Content-Length: "...)
	return append(strconv.AppendInt(head, length, 10), "\r\n\r\n"...)
}
