// Package volume keeps packets on disk, in the order in which they were captured: what is
// recorded first, and analysed behind.
//
// A volume is a pcapng file that any program can read. [Writer] appends to the newest one,
// NUMBER.pcapng.part, until it is large or old enough; then it is NUMBER.pcapng. Beside it
// lies NUMBER.json with its counts and its SHA-256, see [Summary]. [Reader] follows behind,
// also while the newest one grows. A [Mark] is a place in all of them.
//
// # Index
//
// NUMBER.index says in which pages of 4 KiB the packets of each session begin, and when the
// first and the last of them were. It has about 0.2 % of the octets of its volume. A reader
// that is told which sessions are wanted, see [Reader.Want], reads those pages only. An index that is missing,
// damaged or of another volume is not used: the volume is read whole. The addresses in it are
// not encrypted, as those in the trail are not.
//
// # Crash
//
// What was written is there. The last block may be torn: it is cut off when a writer opens
// the directory again, and the volume is complete then.
//
// # Loss
//
// A writer never waits for a reader. If the file system says no, frames are dropped and
// counted, and writing is tried again with the next ones. Frames seen = stored + dropped.
package volume
