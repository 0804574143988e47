package afpacket

import (
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/clearspan/clearspan/mirror"
)

// batchSize is how many frames one sendmmsg call takes at most. Beyond 64 the
// cost of the call itself is no longer measurable beside that of the frames.
const batchSize = 64

// batch holds the arguments of one sendmmsg call: for every frame a message
// of two iovecs, header and payload, all with the same destination. It serves
// one call at a time.
//
// The kernel reads iovecs by address, so they must hold real pointers: the
// garbage collector then knows what they refer to, and does not move it. A
// batch is always on the heap (it comes from a pool and points into itself);
// storing a frame's pointers in it makes the compiler keep the frame's octets
// on the heap too, where a growing stack cannot move them.
type batch struct {
	msgs [batchSize]unix.Mmsghdr
	iovs [2 * batchSize]unix.Iovec
	addr unix.RawSockaddrLinklayer
}

// newBatch returns a batch whose messages are linked to their iovecs and to
// the destination; only these change from call to call.
func newBatch() *batch {
	b := new(batch)
	b.addr.Family = unix.AF_PACKET
	for i := range b.msgs {
		hdr := &b.msgs[i].Hdr
		hdr.Name = (*byte)(unsafe.Pointer(&b.addr))
		hdr.Namelen = unix.SizeofSockaddrLinklayer
		hdr.Iov = &b.iovs[2*i]
		hdr.SetIovlen(2)
	}
	return b
}

// fill points the batch at frames, from the first on, and returns how many it
// holds. It stops in front of a frame longer than limit octets, with
// mirror.ErrTooLong.
func (b *batch) fill(frames []mirror.Frame, limit int) (int, error) {
	frames = frames[:min(len(frames), batchSize)]
	for i := range frames {
		f := &frames[i]
		if f.Len() > limit {
			return i, mirror.ErrTooLong
		}
		header, payload := &b.iovs[2*i], &b.iovs[2*i+1]
		header.Base = unsafe.SliceData(f.Header)
		header.SetLen(len(f.Header))
		payload.Base = unsafe.SliceData(f.Payload)
		payload.SetLen(len(f.Payload))
	}
	return len(frames), nil
}

// release forgets the first n frames, so that a pooled batch keeps no caller's
// memory alive.
func (b *batch) release(n int) { clear(b.iovs[:2*n]) }

// send hands the messages [from, to) to the kernel, to go out of the interface
// with the given index, and returns how many it took. It never waits. The
// error is that of the first message; an error of a later one shows in the
// next call.
func (b *batch) send(fd, ifindex, from, to int) (int, unix.Errno) {
	b.addr.Ifindex = int32(ifindex)
	n, _, errno := unix.Syscall6(unix.SYS_SENDMMSG, uintptr(fd),
		uintptr(unsafe.Pointer(&b.msgs[from])), uintptr(to-from), unix.MSG_DONTWAIT, 0, 0)
	runtime.KeepAlive(b)
	if errno != 0 {
		return 0, errno
	}
	return int(n), 0
}
