// Package pcapip serves mirrored frames to readers over TCP, known as pcap over
// IP: whoever connects receives a pcap file that does not end.
//
//	nc 127.0.0.1 57012 | tcpdump -nr -
//
// The format is the classic pcap, little-endian with microseconds, link type
// Ethernet, frames never cut: what every reader of pcap over IP understands. A
// reader gets the file header and then every frame sent after it connected,
// from a frame's begin on. What it sends is discarded; it may close its sending
// side and go on reading.
//
// Every reader has a queue and goroutines of its own, so it delays neither
// [Sink.Send] nor another reader. When its queue is full, [Config].Slow decides:
// [Drop] loses whole frames, [Disconnect] ends that reader. A reader that takes
// nothing for [Config].Timeout is disconnected in either case.
//
// A frame is delivered when it is in the queue of at least one reader; one that
// no reader had room for is lost with [mirror.ErrFull]. What a single slow reader
// misses is counted in [Stats].Missed and concerns no other. Frames sent while nobody is connected are lost
// with [mirror.ErrNoReader]. Frames in the queue of a reader that leaves were
// delivered.
//
// Frames are cleartext and readers are not asked who they are: listen on
// loopback, or on a network where everyone may see them.
package pcapip
