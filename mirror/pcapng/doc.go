// Package pcapng writes mirrored frames to rotating pcapng files.
//
// # Files
//
// A file is named PREFIX-20261122T151637.123Z-0001.pcapng, after the UTC time of its
// creation and a number that counts in one run. During writing, its name ends in
// ".partial". It gets its final name when it is complete. A program that watches the
// directory thus never reads an incomplete file. The sink never overwrites a file. It
// creates a file for the first frame, not before: an idle sink leaves no empty files.
// Files hold cleartext and have mode 0600.
//
// A file is complete when the next write would make it longer than
// [Config].RotateSize, when it is [Config].RotateEvery old, and at [Sink.Close]. Of
// the complete files with the same prefix, the newest [Config].Keep stay.
//
// Beside packets, a file holds
//
//   - names of addresses ([Sink.Name]), each once, in the file that was written when
//     the name was given,
//   - statistics at its end: the frames in it, and the frames that the sink lost since
//     the file before,
//   - on demand, TLS secrets ([Sink.Secrets]), with which a capture of the encrypted
//     connections can be read.
//
// # Writing
//
// [Sink.Send] copies frames into a buffer of up to 4 MiB. A goroutine writes full
// buffers, and every half second a partly filled one. The number of buffers is small
// ([Config].Buffer). If all of them wait, [Config].Full decides: [mirror.Block] makes Send
// wait, [mirror.Drop] loses frames with [mirror.ErrFull].
//
// Large buffers bypass the page cache (O_DIRECT) if the file system supports that.
// The copy into the cache would cost more than all other work on a frame. A block
// without names fills them up to whole sectors, and also the part of the file before
// them. While the disk is slower than the frames, the page cache takes the buffers,
// because it has more room than they have.
//
// # Failures
//
// The storage fails if the disk is full, an I/O error occurs, or the directory is
// gone. The sink then cuts the file back to its last complete write and gives it its
// final name. It tries to write a new file every 3 seconds. Until it can, Send loses
// frames with [mirror.ErrStorage]. Frames that are already in buffers are kept and
// come first in the new file. They are lost only if the sink is closed before.
//
// [Open] handles ".partial" files of a run that crashed:
//
//   - If the file holds packets, Open cuts it back to its last complete block and
//     gives it its final name.
//   - If the file is empty or holds only headers, Open removes it.
//   - If the file does not begin as a pcapng file, or another process still writes
//     it, Open leaves it alone.
//
// Section and interface headers come from gopacket. This package writes all other
// blocks itself. It writes packet blocks straight into the buffer, which halves their
// cost. For a comment over 65,535 octets, gopacket would corrupt the file.
package pcapng
