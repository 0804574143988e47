package decrypt

import "sync"

const (
	smallBuffer = 16 << 10  // handshakes and dialogues
	largeBuffer = 256 << 10 // one system call's worth of a busy relay
	chunkBuffer = 64 << 10  // cleartext that is relayed and tapped together
)

var (
	smallBuffers = sync.Pool{New: func() any { return new([smallBuffer]byte) }}
	largeBuffers = sync.Pool{New: func() any { return new([largeBuffer]byte) }}
	chunkBuffers = sync.Pool{New: func() any { return new([chunkBuffer]byte) }}
)

// release gives a buffer back to the pool that its capacity names. Buffers of
// other capacities (a hello that outgrew its buffer) are left to the collector.
func release(b []byte) {
	switch cap(b) {
	case smallBuffer:
		smallBuffers.Put((*[smallBuffer]byte)(b[:smallBuffer]))
	case largeBuffer:
		largeBuffers.Put((*[largeBuffer]byte)(b[:largeBuffer]))
	}
}
