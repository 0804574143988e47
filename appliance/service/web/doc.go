// Package web stands between the two ends of a decrypted session, reads the
// HTTP/1.1 and HTTP/2 in it, and lets services change, answer or withhold
// messages. It knows no protocol by which services are reached: a service is an
// [Adapter], which is given one message and says what becomes of it.
//
// Nothing is made canonical. A message that every service left as it was, or
// that went to none, goes on with the octets that came: header with its order,
// spelling and white space, and for HTTP/1.1 chunks with their sizes, extensions
// and trailers. Bodies stream; none is kept whole.
//
// # HTTP/1.1
//
// Messages are found by rules stricter than those of RFC 9112, because a message
// that two readers would frame differently is how a request is smuggled past
// one of them. What breaks them is a [Refusal]: the client gets 400 (or 502, if
// it was the origin's), nothing more goes to the origin, and the session ends.
// Refused are bare CR and LF, NUL and other controls, folded lines, white space
// before the colon, more than one length in a request or different ones in a
// response, a length beside a transfer coding, any transfer coding but chunked,
// chunked in HTTP/1.0, sizes of chunks that are not plain hexadecimal, lengths
// and codings in trailers, requests without a Host or with two, HTTP/0.9, an
// answer that nobody asked for, and HTTP/2 behind HTTP/1.1.
//
// After a granted Upgrade or CONNECT octets pass unread, or the session ends, as
// [Config.Upgrade] says; an upgrade to HTTP/2 is never granted, for it would
// lead past the services. What does not begin as HTTP at all passes unread or
// ends, as [Config.Foreign] says.
//
// # HTTP/2
//
// Frames go from one connection to the other. Each leg has its own compression
// tables; streams are numbered anew toward the origin, in the order in which
// services let their requests pass. Messages that no service wants pass frame by
// frame under the flow control of the two ends: window that the receiver opens is
// opened to the sender. A message for a service is held by itself: its header is
// shown as HTTP/1.1, its content is consumed under a window of this package's
// own, 256 KiB a stream, and what became of it is sent as its receiver's windows
// allow. What one end says in SETTINGS of concurrency, header sizes and extended
// CONNECT is told to the other; PING and GOAWAY pass from end to end, the latter
// with its number translated. Padding, priorities, frames of extensions and server
// push do not pass. A malformed message, a content-length that is not true
// included, has its stream reset and goes no further; a connection that breaks
// the rules is a [Refusal].
//
// # Order
//
// Services are given in order from the client. A request meets them in that
// order, a response in the opposite one: each sees what the one before it let
// pass.
package web
