// Package icap is a client of the Internet Content Adaptation Protocol (RFC 3507).
// It shows HTTP messages to servers, which may change or answer them. It does not
// parse HTTP itself: a message is two header blocks and a body, as its caller has
// them.
//
// # Messages
//
// [Client.Adapt] asks one server about one message. Bodies stream in both
// directions at once: the answer may begin before the whole body is sent. Until the
// server has decided, the client keeps Config.Replay octets of a body, and nothing
// else. These octets determine the possible answers:
//
//   - Preview: sent if the server asks for one, as soon as its octets have come. The
//     server may always answer a preview with 204. It then never gets the rest of the
//     body. A body of unknown length that pauses before gets no preview. A shorter one
//     would let a server decide by less than it asked for.
//   - 204 outside of a preview: allowed for bodies of known length within Replay.
//   - 206 (draft-icap-ext-partial-content): allowed to servers that offer it, under
//     the same conditions.
//
// Servers do not get hop-by-hop fields (RFC 3507, Section 4.4.2). A modified
// message gets those of the original back, except for fields that frame a body.
// Bodies go to the server, and come back, without their chunked coding.
//
// A body that gets no preview goes to the server as it comes, and the client passes on
// at once what the server returns. If a server holds the body until its end, it holds
// the message's sender, too. Config.PassPaused has the message pass instead.
//
// # Servers
//
// Several servers of one service share the messages. The next message goes to the
// server with the fewest messages in progress. The client asks for OPTIONS before
// the first message, when their lifetime has ended, and when the ISTag has changed.
// Connections are persistent. Their number is bounded by the server's own limit.
//
// The client leaves a server alone if it cannot reach it, or if it does not answer
// OPTIONS. After three failures in a row it asks the server for OPTIONS. The pause is one
// second, then two, up to half a minute. The server comes back when it answers
// OPTIONS. A message goes to another server, or over a new connection, as long as
// all octets that were read of its body are kept.
//
// # Failures
//
// Errors of Adapt are *[Error], by [Reason]: unavailable, timeout, protocol,
// overload, too-large. Errors of the body are passed on unchanged. The caller
// decides about the message. If all octets that were read of it are kept,
// Error.Original has the whole message. Only delays of the server count as its
// failure. Delays of the body, or of the reader of the answer, do not.
package icap
