// Package http1 reads the syntax of HTTP/1 (RFC 9112) for all who look at cleartext:
// the policy, the audit, the services and the mirrors. They share it, so that they
// see the same messages and the same hosts.
//
// The package has no I/O and starts no goroutine. Results are slices of what the
// caller gives. They are valid as long as it is.
//
// # A message
//
//   - [Recognize] tells whether a connection begins with a request.
//   - [Head] finds the end of a head whose octets come in pieces.
//   - [ParseRequest] and [ParseResponse] read a head. [Fields] reads a field section
//     alone, for example trailers.
//   - [Content] passes over the content, and tells content from framing. [Chunks] does
//     so for the chunked coding alone.
//   - [FindHost] reads the host of a request, also of an incomplete one.
//
// # Strict and loose
//
// There is one strictness. [Strict] is for readers that pass messages on. It refuses
// each head and each body that two readers could take differently, see [Fault].
// [Loose] is for readers that only watch. It reads on as long as the message has an
// end that it can find.
//
// # Host
//
// One rule tells the host of a request: see [Host]. If a head can be taken for two
// hosts, the host is in doubt. [Doubt] is the reason.
package http1
