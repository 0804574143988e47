// Package engine carries what an engine says of its sessions to a recorder: records in place of
// frames. There is nothing to put together at the other end, and nothing to invent at this one.
//
// # Records
//
// A record is what happened in a session: it opened, octets came in one direction, a direction
// ended, it closed. Each says how many octets of its direction came before. So a record that
// comes again is known, and one that is missing is a gap. A [Table] turns records into the
// streams of package flow.
//
// In a volume a record is a packet of the link type [LinkType], which pcapng keeps for private
// use. Its comment is what the live feed says of a session, too.
//
// # Sender
//
// A [Sender] has a buffer in memory that it shares with the receiver, and a Unix socket: over it,
// the sender says how much is in the buffer, and the receiver how much it has stored. What it has
// not stored stays, and is read again by the next receiver: the death of a recorder loses
// nothing, as long as the buffer has room.
//
//	octets of a session = recorded + lost
package engine
