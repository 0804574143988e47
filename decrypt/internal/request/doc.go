// Package request judges the requests inside a session of HTTP before their octets reach
// the origin. It reads by decrypt/proto/http1 and decrypt/proto/http2, and decides nothing:
// its [Judge] does. It has no I/O and starts no goroutine.
//
// # Shape
//
// An [Inspector] stands in both directions of one session. [Inspector.Inspect] is given
// what one end said, and returns what goes on of it:
//
//   - From the client: what was judged. A head, or a header block, that is not complete is
//     held, at most 64 KiB of HTTP/1 and 128 KiB of HTTP/2. Content is never held. If
//     nothing is held and nothing refused, the octets go on where they are, uncopied.
//   - From the origin: everything, at once. Between two messages stands what the inspector
//     says to the client itself.
//
// The first octets of the client tell the protocol. Octets that are neither HTTP/1 nor
// HTTP/2 end the inspection. Octets that could still become HTTP are held, until
// [Inspector.Release].
//
// # HTTP/1
//
// A refused request ends what the client can say. The requests before it get their
// answers, which are followed for that. Then the client gets the answer of the Judge, and
// the session ends in order. Behind a CONNECT request octets are held until its answer: a
// granted CONNECT, and a granted upgrade, end the inspection, unless the upgrade is to
// HTTP/2.
//
// What two servers could read differently puts a request in doubt: the host, and the
// framing, which hides further requests. What cannot be read at all is refused.
//
// # HTTP/2
//
// A refused request gets a HEADERS frame with a status and no content. If its content is
// not over, RST_STREAM with NO_ERROR follows (RFC 9113, Section 8.1). The frames of the
// stream are dropped, and the client gets their octets of the connection's window back.
//
// A dropped header block would leave the two ends of HPACK with different tables. Behind
// the first one, blocks are thus encoded anew, without a dynamic table (RFC 7541, Section
// 4.2). The status that the client gets uses no dynamic table either.
package request
