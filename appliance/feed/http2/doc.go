// Package http2 shows an HTTP/2 session as the HTTP/1.1 exchanges that it carries,
// for recorders that do not read HTTP/2. Its input is the cleartext of both
// directions as it is relayed. Each stream becomes a [mirror.Conversation] of its
// own, from an invented client port. Frames for the session's own purposes are not
// shown (SETTINGS, WINDOW_UPDATE, PING, PRIORITY, padding). The package delays
// nothing: content goes to the sink at once, as slices of the caller's buffer.
//
// # Streams
//
//   - Pseudo-header fields become the request line, a host field or the status line.
//   - Other fields keep their name, spelling and order. Cookies are joined to one
//     field (RFC 9113, Section 8.2.3).
//   - Content with a content-length is shown as it is. Other content is chunked, one
//     chunk a DATA frame. The CRLF after a chunk comes with the next octets.
//   - Trailers are those of the chunked coding.
//   - A granted CONNECT turns into the octets that it tunnels.
//   - Extended CONNECT (RFC 8441) is shown as the equivalent GET with Upgrade,
//     answered with 101. The keys of a WebSocket are made from the stream's number.
//   - A promised stream (PUSH_PROMISE) is an exchange with the request that the
//     origin promised.
//   - RST_STREAM is a RST of the conversation. GOAWAY is a RST of the streams that it
//     disowns.
//
// No octet of a field can break the form of HTTP/1.1. CR, LF and NUL in values become
// spaces. Octets that no token may hold become "_" in names and methods. Spaces and
// controls of a target are percent-encoded. Fields with a meaning in HTTP/1.1 alone
// get the prefix x-http2- (connection, transfer-encoding, a second host or
// content-length, ...). A message without a method, path or status gets MALFORMED, /
// or 599. [Report.Replaced] counts all of these.
//
// # Sessions that cannot be rendered
//
// A session cannot be rendered if it breaks the rules of framing or HPACK, or
// exceeds a bound:
//
//   - 256 KiB or 128 frames for a header block, 1 MiB for the fields in it,
//   - 64 KiB for a dynamic table,
//   - 1024 open streams,
//   - 1000 streams in a row that were reset before they were answered,
//   - fields of 256 times the octets relayed.
//
// From the first octet of the offending frame on, the package passes on both
// directions as HTTP/2. It uses a conversation with the session's own ports, see
// [Report.Raw]. If a session ends in the middle of a frame other than DATA, its last
// octets are passed on in the same way. Conversations that are open at that point end
// with the session.
//
// # Accounting
//
// Octets on the mirror differ from the relayed octets, because framing and
// compression differ. [Session.Close] counts octets as they were relayed. Each octet
// handed to [Session.Data] is either in Octets or in Lost, by these rules:
//
//   - The content of a DATA frame, and everything passed on as HTTP/2, is shown octet
//     by octet. Each octet is framed or lost, as the sink took it or not.
//   - Every other octet belongs to a unit: the connection preface, a header block
//     with its frames, a DATA frame without its content, or another frame. The
//     frames of a header block are HEADERS or PUSH_PROMISE, and CONTINUATION. A unit
//     is framed if the sink took its whole rendering, or if there was nothing to
//     render. Otherwise it is lost, for the first reason met.
//
// Hence octets relayed = Octets + sum of Lost, for each direction, exactly. Two
// numbers beside it count the octets on the mirror. [Report.Rendered] is the octets
// in the frames of all conversations. [Report.RenderedLost] is the octets of the
// rendering that the sink did not take; they leave true gaps.
//
// The package adds [ReasonExcess], [ReasonTrailers] and [ReasonMalformed] to the
// reasons of package mirror. Octets of a stream that is over also count as "ended".
//
// # Cost
//
// A DATA frame of 16 KiB costs its segments and one more for its chunk header, without
// an allocation. An exchange with 1 KiB of content takes about 2 us and 6 allocations.
package http2
