// Package http2 shows an HTTP/2 session as the HTTP/1.1 exchanges that it
// carries, for recorders that read no HTTP/2. It is fed with the cleartext of
// both directions as it is relayed. Each stream becomes a [mirror.Conversation]
// of its own, from a client port that is invented; what travels on the session
// for its own sake (SETTINGS, WINDOW_UPDATE, PING, PRIORITY, padding) is not
// shown. Nothing is kept back: contents go to the sink as slices of the buffer
// that was handed in, when it is handed in.
//
// # How a stream looks
//
// Pseudo-header fields become the request line, a host field or the status line.
// Other fields keep their name, spelling and order; cookies are joined to one
// field (RFC 9113, Section 8.2.3). Content with a content-length is shown as it
// is, any other is chunked, one chunk a DATA frame; the CRLF behind a chunk comes
// with what follows it. Trailers are those of the chunked coding. A CONNECT that
// was granted turns into what it tunnels. Extended CONNECT (RFC 8441) is shown as
// the GET with Upgrade that it stands for, answered with 101; keys of a WebSocket
// are made up, from the stream's number. A promised stream (PUSH_PROMISE) is an
// exchange with the request that the origin promised. RST_STREAM is a RST of the
// conversation; GOAWAY is one of those streams that it disowns.
//
// No octet of a field can break the form of HTTP/1.1: CR, LF and NUL in values
// become spaces, what no token may hold in names and methods becomes "_", spaces
// and controls of a target are percent-encoded, and fields that mean something
// to HTTP/1.1 alone (connection, transfer-encoding, a second host or
// content-length, ...) get the prefix x-http2-. A message without a method, path
// or status gets MALFORMED, / or 599. [Report.Replaced] counts all of these.
//
// # What cannot be rendered
//
// A session that breaks the rules of framing or HPACK, or exceeds a bound (256
// KiB or 128 frames for a header block, 1 MiB for the fields in it, 64 KiB for a
// dynamic table, 1024 open streams, 1000 streams reset in a row before they were
// answered, fields of 256 times the octets relayed), is passed on as HTTP/2 from the first octet
// of the offending frame on, both directions, in a conversation with the
// session's own ports: see [Report.Raw]. So are the last octets of a session
// that ends in the middle of a frame other than DATA. Conversations that are open
// at that point end with the session.
//
// # Accounting
//
// Octets on the mirror are not those that were relayed: framing and compression
// differ. [Session.Close] accounts in octets as they were relayed. Each octet
// handed to [Session.Data] is either in Octets or in Lost, by these rules:
//
//   - The content of a DATA frame, and all that is passed on as HTTP/2, is shown
//     octet by octet, so each octet is framed or lost as the sink took it or not.
//   - Every other octet shares the fate of its unit: the connection preface, a
//     header block with its frames (HEADERS or PUSH_PROMISE, CONTINUATION), a
//     DATA frame without its content, a frame of another type. A unit is framed
//     if all that it was rendered as was framed, or if there was nothing to
//     render. Otherwise it is lost, for the first reason met.
//
// Hence octets relayed = Octets + sum of Lost, for each direction, exactly. What
// is on the mirror is counted beside it: octets in the frames of all
// conversations = [Report.Rendered], and what the sink did not take of the
// rendering is [Report.RenderedLost]; it leaves true gaps.
//
// To the reasons of package mirror come [ReasonExcess], [ReasonTrailers] and
// [ReasonMalformed]; "ended" is also what belongs to a stream that is over.
package http2
