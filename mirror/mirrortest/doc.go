// Package mirrortest judges mirrored frames in tests. It has
//
//   - a sink that records frames,
//   - a decoder that asks two independent libraries and verifies every checksum with
//     code of its own,
//   - a strict checker of the TCP connection in the frames,
//   - reassembly with gaps.
//
// All of it works on frames in memory and on pcap and pcapng files. Files are read as
// a stream. With [Options.HashOnly], memory does not grow with the octets in them.
package mirrortest
