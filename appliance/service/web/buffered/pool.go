package buffered

import "sync"

// Sizes of buffers, in octets.
const (
	Small = 4 << 10
	Large = 64 << 10
)

var (
	smallBuffers = sync.Pool{New: func() any { return new([Small]byte) }}
	largeBuffers = sync.Pool{New: func() any { return new([Large]byte) }}
)

// GetSmall returns a buffer of [Small] octets with any content. The caller may
// [Release] it.
func GetSmall() []byte { return smallBuffers.Get().(*[Small]byte)[:] }

// GetLarge returns a buffer of [Large] octets with any content. The caller may
// [Release] it.
func GetLarge() []byte { return largeBuffers.Get().(*[Large]byte)[:] }

// Release takes a buffer back, whatever its length. It ignores other memory.
func Release(b []byte) {
	switch cap(b) {
	case Small:
		smallBuffers.Put((*[Small]byte)(b[:Small]))
	case Large:
		largeBuffers.Put((*[Large]byte)(b[:Large]))
	}
}
