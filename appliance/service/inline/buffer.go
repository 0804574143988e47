package inline

import "sync"

// chunk is what one system call moves at most.
const chunk = 64 << 10

var chunks = sync.Pool{New: func() any { return new([chunk]byte) }}

func getBuffer() *[chunk]byte  { return chunks.Get().(*[chunk]byte) }
func putBuffer(b *[chunk]byte) { chunks.Put(b) }
