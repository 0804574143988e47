// Package http2 reads and writes the syntax of HTTP/2 (RFC 9113): the connection
// preface, frames, header blocks. It does no I/O, starts no goroutine and copies no
// content. It knows neither the states of streams nor flow control, and no message.
//
// A [Reader] takes one direction of a connection apart, in pieces of any size. It
// returns frames with padding and priority taken off. Content of DATA frames comes by
// reference, as it arrives. A [Decoder] decodes the header block of a frame. The
// Append functions write frames.
//
// # Strictness
//
// A breach of the rules is a [Fault] with the error code of RFC 9113, Section 7. An end
// of a connection reads with [Strict], which refuses all that Sections 4 and 6 refuse.
// [Loose] is for readers that only watch: it refuses frames only if their content or
// their header block cannot be told. Both take the same octets for the same frames.
package http2

// Preface is what a client sends first (RFC 9113, Section 3.4).
const Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
