// Package mirror renders the cleartext of a session as the TCP connection that would
// have carried it. It builds Ethernet frames for recorders that read a network port
// or a capture.
//
// A [Conversation] takes octets of either direction and builds whole frames:
// handshake, segments of the MSS, acknowledgements, FIN or RST, with complete
// checksums. It hands them to a [Sink] in batches, without a copy of the payload.
// Octets that a sink does not take are counted by reason, and show as a gap in the
// sequence numbers, see [Account].
//
// The package knows no TLS and no application protocol. Its caller decides which
// octets belong on the mirror. It imports the standard library only. Sinks live in
// subpackages with their own dependencies.
package mirror
