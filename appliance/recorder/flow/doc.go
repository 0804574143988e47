// Package flow turns frames into sessions: it takes off links, tags and tunnels, puts IP
// fragments together, and brings the octets of each TCP connection, and the datagrams of
// each UDP exchange, into order.
//
// A [Table] is fed the frames of one capture. It tells a [Handler] of each session, and the
// [Stream] that it returns of octets, gaps and ends, as package dissect wants them. Octets
// that come in order pass as they are, without a copy. Those that come early are copied and
// wait for the others. So do those that acknowledge octets of the other end that have not
// come: monitors with a port for each direction deliver some answers before their requests.
//
// # Gaps
//
// Octets that the capture does not have are a gap, which is told as soon as they will
// not come any more: when the other end has acknowledged them and more has come behind them
// for a while, when too many octets wait, or when the session ends. What one end alone claims
// to have makes no gap, since it may be a lie. A frame that was cut by
// the capture leaves a gap, too.
//
// # Ends
//
// The client is the end that sent the SYN. Of a session whose beginning was not captured,
// it is the end with the higher port, if the other port is below 1024, else the end that
// was heard first.
//
// # Bounds
//
// A frame is unwrapped at most 4 times. At most 1,000 datagrams in fragments wait, and 1 MiB
// of early octets in each direction of a session, 256 MiB of all sessions together. The
// session that was silent for the longest time is closed if there are too many, see
// [Config.Sessions]. The package does no I/O and starts no goroutine.
//
// # Limits
//
// Sessions of the same ends in two VLANs are one: a capture of both sides of a router has
// each packet in two of them.
//
// If octets are sent twice with different contents, the first ones count. The session is
// marked [Ambiguous] only if both wait at the same time: octets that were told are not kept.
package flow
