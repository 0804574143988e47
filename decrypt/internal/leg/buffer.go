package leg

import (
	"math"
	"sync"
	"sync/atomic"
)

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

// largeLimit is how many octets of large and chunk buffers may be taken at a
// time, largeTaken how many are.
var largeLimit, largeTaken atomic.Int64

func init() { largeLimit.Store(math.MaxInt64) }

// LimitBuffers bounds how many octets of large and chunk buffers are taken together,
// 0 for no limit. Beyond that, buffers are small. It may be called at any time.
func LimitBuffers(octets uint64) {
	limit := int64(min(octets, math.MaxInt64))
	if limit == 0 {
		limit = math.MaxInt64
	}
	largeLimit.Store(limit)
}

// reserve reports whether n octets more may be taken, and counts them.
func reserve(n int64) bool {
	if largeTaken.Add(n) > largeLimit.Load() {
		largeTaken.Add(-n)
		return false
	}
	return true
}

// takeLarge returns a large buffer, a small one where the limit is reached.
func takeLarge() []byte {
	if !reserve(largeBuffer) {
		return takeSmall()
	}
	return largeBuffers.Get().(*[largeBuffer]byte)[:]
}

// TakeChunk returns a chunk buffer, a small one where the limit is reached.
func TakeChunk() []byte {
	if !reserve(chunkBuffer) {
		return takeSmall()
	}
	return chunkBuffers.Get().(*[chunkBuffer]byte)[:]
}

func takeSmall() []byte { return smallBuffers.Get().(*[smallBuffer]byte)[:] }

// Release gives a buffer back to the pool that its capacity names. Buffers of
// other capacities (a hello that outgrew its buffer) are left to the collector.
func Release(b []byte) {
	switch cap(b) {
	case smallBuffer:
		smallBuffers.Put((*[smallBuffer]byte)(b[:smallBuffer]))
	case chunkBuffer:
		largeTaken.Add(-chunkBuffer)
		chunkBuffers.Put((*[chunkBuffer]byte)(b[:chunkBuffer]))
	case largeBuffer:
		largeTaken.Add(-largeBuffer)
		largeBuffers.Put((*[largeBuffer]byte)(b[:largeBuffer]))
	}
}
