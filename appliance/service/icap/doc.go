// Package icap is a client of the Internet Content Adaptation Protocol (RFC
// 3507): it has servers look at HTTP messages, and change or answer them. It
// reads no HTTP itself: a message is two header blocks and a body, as its caller
// has them.
//
// # A message
//
// [Client.Adapt] asks one server about one message. Bodies stream in both
// directions at a time: the answer may begin before the body was sent. Of a body
// Config.Replay octets are kept, until the server has decided; nothing else is.
// What a server may do depends on that:
//
//   - A preview is sent if the server wants one, when its octets have come: who
//     streams slowly, server-sent events say, is better not shown at all (see
//     web.Service.Streams). 204 in
//     answer to it is always possible; the rest of the body then never comes near
//     the server.
//   - 204 outside of a preview is allowed for bodies whose length is known and
//     within Replay.
//   - 206 (draft-icap-ext-partial-content) is allowed to servers that offer it,
//     under the same conditions.
//
// Hop-by-hop fields are not shown to servers (RFC 3507, Section 4.4.2); in a
// modified message those of the original are put back, except for what frames a
// body. A body goes decoded of chunking, and comes so.
//
// # Servers
//
// Several servers of one service share the messages: the one with the fewest in
// hand is asked next. OPTIONS are asked for before the first message, when their
// lifetime has ended, and when the ISTag has changed. Connections persist, and
// are as many as the server allows at most. A server that cannot be reached, or
// that does not answer OPTIONS, for which it is asked after three failures in a
// row, is left alone for a second, then for two, up to half a minute, and comes
// back when it answers OPTIONS. A message goes to another server, or over a new connection, as long as
// all that was read of its body is kept.
//
// # Failures
//
// Errors of Adapt are *[Error], by [Reason]: unavailable, timeout, protocol,
// overload, too-large; except for errors of the body, which are passed on. What
// becomes of the message then is the caller's decision; Error.Original has it
// whole if what was read of it is kept. Only what the server does not do in time
// counts as its failure: waiting for the body's octets, or for the reader of the
// answer, does not.
package icap
