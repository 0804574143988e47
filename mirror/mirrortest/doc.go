// Package mirrortest holds what tests need to judge mirrored frames: a sink that
// records them, a decoder that asks two independent libraries and verifies
// every checksum with code of its own, a strict checker of the TCP connection
// that the frames tell, and reassembly with gaps.
//
// All of it works on frames in memory and on pcap and pcapng files. Files are
// read as a stream; with [Options.HashOnly] memory does not grow with the
// octets in them.
package mirrortest
