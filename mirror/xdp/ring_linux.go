package xdp

import (
	"errors"
	"fmt"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ring is one queue between the kernel and us: T is what an entry holds. One
// side writes entries and advances the producer, the other reads them and
// advances the consumer. Both count on modulo 2^32, the low bits are the place.
type ring[T any] struct {
	memory             []byte // mapped
	producer, consumer *atomic.Uint32
	entries            []T
}

// mapRing maps the ring at the given offset of the socket, of the given number
// of entries, a power of two.
func mapRing[T any](fd int, at int64, size int, o unix.XDPRingOffset) (ring[T], error) {
	var entry T
	length := int(o.Desc) + size*int(unsafe.Sizeof(entry))
	memory, err := unix.Mmap(fd, at, length, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_POPULATE)
	if err != nil {
		return ring[T]{}, fmt.Errorf("map ring: %w", err)
	}
	index := func(offset uint64) *atomic.Uint32 { return (*atomic.Uint32)(unsafe.Pointer(&memory[offset])) }
	return ring[T]{
		memory:   memory,
		producer: index(o.Producer),
		consumer: index(o.Consumer),
		entries:  unsafe.Slice((*T)(unsafe.Pointer(&memory[o.Desc])), size),
	}, nil
}

// entry returns the place of index i.
func (r *ring[T]) entry(i uint32) *T { return &r.entries[i&uint32(len(r.entries)-1)] }

func (r *ring[T]) unmap() error {
	if r.memory == nil {
		return nil
	}
	err := unix.Munmap(r.memory)
	*r = ring[T]{}
	return err
}

// umem is the memory that holds frames, in chunks of equal size. The chunk that
// was given back last is used next: few chunks stay in the cache.
type umem struct {
	memory []byte // mapped
	chunk  int    // octets
	free   []uint64
}

func newUmem(chunk, chunks int) (*umem, error) {
	memory, err := unix.Mmap(-1, 0, chunk*chunks, unix.PROT_READ|unix.PROT_WRITE,
		unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|unix.MAP_POPULATE)
	if err != nil {
		return nil, fmt.Errorf("map frame memory: %w", err)
	}
	u := &umem{memory: memory, chunk: chunk, free: make([]uint64, chunks)}
	for i := range u.free {
		u.free[i] = uint64(i * chunk)
	}
	return u, nil
}

// put copies a frame that is not longer than a chunk to a free one, of which
// there is one, and returns its address.
func (u *umem) put(header, payload []byte) uint64 {
	last := len(u.free) - 1
	address := u.free[last]
	u.free = u.free[:last]
	to := u.memory[address:]
	copy(to[copy(to, header):], payload)
	return address
}

// release takes a chunk back. An address that is none of ours is left alone.
func (u *umem) release(address uint64) {
	if len(u.free) < cap(u.free) && address < uint64(len(u.memory)) {
		u.free = append(u.free, address-address%uint64(u.chunk))
	}
}

// setsockopt sets an option of level SOL_XDP to what value points to.
func setsockopt[T any](fd, option int, value *T) error {
	_, _, errno := unix.Syscall6(unix.SYS_SETSOCKOPT, uintptr(fd), unix.SOL_XDP, uintptr(option),
		uintptr(unsafe.Pointer(value)), unsafe.Sizeof(*value), 0)
	if errno != 0 {
		return errno
	}
	return nil
}

// mmapOffsets asks where the parts of the rings are.
func mmapOffsets(fd int) (unix.XDPMmapOffsets, error) {
	var o unix.XDPMmapOffsets
	size := uint32(unsafe.Sizeof(o))
	_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.SOL_XDP, unix.XDP_MMAP_OFFSETS,
		uintptr(unsafe.Pointer(&o)), uintptr(unsafe.Pointer(&size)), 0)
	if errno != 0 {
		return o, errno
	}
	if uintptr(size) != unsafe.Sizeof(o) {
		return o, errors.New("kernel is too old")
	}
	return o, nil
}
