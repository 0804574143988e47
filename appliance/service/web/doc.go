// Package web stands between the two ends of a decrypted session. It reads the
// HTTP/1.1 and HTTP/2 in it and lets services change, answer or withhold messages.
// It does not know the protocols of services: a service is an [adapt.Adapter], which
// gets one message and returns its decision. The package recognizes the protocol of a
// session. Packages h1 and h2 carry it.
//
// The package makes nothing canonical. If no service got or changed a message, the
// message goes on with its original octets. Its header keeps its order, spelling and
// white space. With HTTP/1.1, its chunks keep sizes, extensions and trailers. Bodies
// stream; the package keeps no whole body.
//
// # HTTP/1.1
//
// The rules for messages are stricter than those of RFC 9112. If two readers frame
// a message differently, a request can be smuggled past one of them. A message that
// breaks the rules is a [adapt.Refusal]: the client gets 400, or 502 if the message was
// the origin's. Nothing more goes to the origin, and the session ends. The package
// refuses
//
//   - bare CR and LF, NUL and other controls, folded lines, white space before the
//     colon,
//   - more than one length in a request, or different lengths in a response,
//   - a length beside a transfer coding, any transfer coding but chunked, chunked in
//     HTTP/1.0,
//   - chunk sizes that are not plain hexadecimal,
//   - lengths and codings in trailers,
//   - requests without a Host or with two, or whose host is in doubt,
//   - HTTP/0.9,
//   - an answer without a request,
//   - HTTP/2 after HTTP/1.1.
//
// After a granted Upgrade or CONNECT, octets pass unread, or the session ends, or
// package ws shows the messages of WebSocket to the services, as [adapt.Config] Upgrade
// says. The package never grants an upgrade to HTTP/2, because it
// would bypass the services. Sessions that do not begin as HTTP pass unread or end,
// as [adapt.Config] Foreign says.
//
// # HTTP/2
//
// Frames go from one connection to the other. Each leg has its own compression
// tables. Streams toward the origin get new numbers, in the order in which services
// let their requests pass.
//
// Messages that no service needs pass frame by frame, under the flow control of the
// two ends. If the receiver opens a window, the package opens it to the sender. A
// message for a service is held apart. The service sees its header as HTTP/1.1. The
// package takes its content under a window of its own, 256 KiB a stream while few
// streams have it. It sends the result as the receiver's windows allow.
//
// The package tells each end the other's SETTINGS of concurrency, header sizes and
// extended CONNECT. PING and GOAWAY pass from end to end, GOAWAY with its number
// translated. Padding, priorities, extension frames and server push do not pass. The
// package resets the stream of a malformed message, and does not pass it on. A false
// content-length makes a message malformed. A connection that breaks the rules is a
// [adapt.Refusal].
//
// Frames of one end do not fill memory while the other end does not read. Window
// updates are added up. The reader of other frames waits. All messages of a session
// keep at most 12 MiB: above, the package refuses or resets streams. An end that
// does not read the answers to its own frames is a [adapt.Refusal].
//
// # Order
//
// Services are given in order from the client. A request passes through them in
// that order, a response in the opposite order. Each sees the output of the one
// before it.
package web
