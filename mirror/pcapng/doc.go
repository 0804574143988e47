// Package pcapng writes mirrored frames to rotating pcapng files.
//
// A file is named PREFIX-20261122T151637.123Z-0001.pcapng, after the UTC time of
// its creation and a number that counts in one run. While it is written its
// name ends in ".partial"; it gets its final name when it is complete, so that
// whoever watches the directory never reads a torn file. No file is ever
// overwritten. A file is created for the first frame, not before: an idle sink
// leaves no empty files. Files hold cleartext and have mode 0600.
//
// A file is complete when the next write would make it longer than
// [Config].RotateSize, when it is [Config].RotateEvery old, and at
// [Sink.Close]. Of the complete files with the same prefix the newest
// [Config].Keep stay.
//
// [Sink.Send] copies frames into a buffer of up to 4 MiB; a goroutine writes
// full buffers, and every half second a partly filled one. Buffers are few
// ([Config].Buffer); what happens when all of them wait is [Config].Full: [Block]
// makes Send wait, [Drop] loses frames with [mirror.ErrFull].
//
// Large buffers pass by the page cache (O_DIRECT), where the file system can do
// that: the copy into the cache would cost more than all else that is done for a
// frame. They are filled up to whole sectors by a block of no names, and so is what
// stands before them. While the disk is slower than the frames the page cache takes
// them after all, since it has more room than the buffers.
//
// When the storage fails (disk full, I/O error, directory gone), the file is cut
// back to its last complete write and gets its final name. Until a new file
// can be written, which is tried every 3 seconds, Send loses frames with
// [mirror.ErrStorage]; frames already in buffers are kept and come first in the
// new file. They are lost only if the sink is closed before.
//
// Beside packets a file holds names of addresses ([Sink.Name]), each once, in the
// file that was written when they were said; at its end statistics: how many
// frames it holds, and how many the sink lost since the file before; and, if asked
// for, TLS secrets ([Sink.Secrets]), with which a capture of the encrypted
// connections can be read.
//
// A ".partial" file that a crashed run left is dealt with by [Open]: if it holds
// packets it is cut back to its last complete block and gets its final name;
// if it is empty or holds only headers it is removed; if it does not begin as a
// pcapng file, or another process still writes it, it is left alone.
//
// Section and interface headers come from gopacket. All other blocks are written
// by this package, those of packets straight into the buffer: that halves their cost, and
// gopacket would corrupt the file for a comment over 65,535 octets.
package pcapng
