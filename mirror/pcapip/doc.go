// Package pcapip serves mirrored frames to readers over TCP, known as pcap over IP.
// Each reader that connects receives a pcap file that does not end.
//
//	nc 127.0.0.1 57012 | tcpdump -nr -
//
// The format is the classic pcap, little-endian with microseconds, link type
// Ethernet, with whole frames. Every reader of pcap over IP understands it. A reader
// gets the file header, then every frame sent after it connected, beginning with a
// whole frame. The sink discards octets that a reader sends. A reader may close its
// sending side and read on.
//
// Every reader has a queue and goroutines of its own. It delays neither [Sink.Send]
// nor another reader. [Config].Slow decides if its queue is full: [Skip] loses whole
// frames, [Disconnect] ends that reader. If a reader takes nothing for
// [Config].Timeout, the sink disconnects it in either case.
//
// A frame is delivered when it is in the queue of at least one reader. If no reader
// had room for it, it is lost with [mirror.ErrFull]. [Stats].Missed counts the frames
// that a single slow reader misses; other readers get them. Frames sent while nobody
// is connected are lost with [mirror.ErrNoReader]. Frames in the queue of a reader
// that leaves count as delivered.
//
// Frames are cleartext, and the sink does not authenticate readers. Listen on
// loopback, or on a network where everybody may see the frames.
package pcapip
