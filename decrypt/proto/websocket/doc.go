// Package websocket reads and writes the frames of WebSocket (RFC 6455, Section 5). It
// knows their syntax and nothing of sockets: callers give it octets, and it tells what
// stands there.
//
// A [Reader] follows one direction. It is strict: a frame that breaks a rule of the RFC
// is a [Fault], and so is any use of an extension. A loose one, for readers that only watch,
// takes compressed messages. The package copies no payload, but for [Unmask].
package websocket
