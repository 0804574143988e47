// Package mirror renders the cleartext of a session as the TCP connection that
// would have carried it, in Ethernet frames, for recorders that read a network
// port or a capture.
//
// A [Conversation] takes octets of either direction and builds whole frames:
// handshake, segments of the MSS, acknowledgements, FIN or RST, with complete
// checksums. It hands them to a [Sink] in batches, payload uncopied. What a
// sink does not take is counted by reason and shows as a gap in the sequence
// numbers, see [Account].
//
// The package knows no TLS and no application protocol. What belongs on the
// mirror, and what is left out, is for its caller to decide. It imports the
// standard library only; sinks live in subpackages with their own dependencies.
package mirror
