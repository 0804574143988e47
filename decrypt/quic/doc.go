// Package quic finds out what QUIC flows are for, from the first datagrams that
// their clients send (RFC 9000, RFC 9001, RFC 9369). It reads Initial packets of
// versions 1 and 2, whose keys are no secret, and the ClientHello in them: server
// name, ALPN, fingerprint. It is passive: it answers nothing, has no sockets, and
// cannot read what follows.
//
// A hello may be in any number of CRYPTO frames, packets and datagrams, in any order,
// repeated and overlapping. [Peek] holds what is known of each flow and has every
// connection judged once: when its hello is whole, or when it is clear that it never
// will be. Servers tell connections apart by connection IDs, not by addresses. A
// second connection on the ports of the first is judged, too, and so is everything
// that a client says in the keys of a connection that was judged before.
//
// An intake gives [Peek.Datagram] every datagram of a client that begins with a long
// header, and lets none of them go on before its verdict.
package quic
