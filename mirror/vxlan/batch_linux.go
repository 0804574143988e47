package vxlan

import (
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/clearspan/clearspan/mirror"
)

// batchSize is how many frames one sendmmsg call takes at most.
const batchSize = 64

const headerLength = 8 // octets, RFC 7348, Section 5

// batch holds the arguments of one sendmmsg call on a connected socket: for every
// frame a message of three iovecs, VXLAN header, the frame's header and payload.
// It serves one call at a time, and lives on the heap, as do the frames whose
// pointers it holds: see the batch of package afpacket.
type batch struct {
	msgs   [batchSize]unix.Mmsghdr
	iovs   [3 * batchSize]unix.Iovec
	header [headerLength]byte
}

// newBatch returns a batch whose messages are linked to their iovecs and begin
// with the header of the given network identifier.
func newBatch(vni uint32) *batch {
	b := &batch{header: [headerLength]byte{0: 0x08, 4: byte(vni >> 16), 5: byte(vni >> 8), 6: byte(vni)}} // flag I: the identifier is valid
	for i := range b.msgs {
		hdr := &b.msgs[i].Hdr
		hdr.Iov = &b.iovs[3*i]
		hdr.SetIovlen(3)
		b.iovs[3*i].Base = &b.header[0]
		b.iovs[3*i].SetLen(headerLength)
	}
	return b
}

// fill points the batch at frames of one source port, from the first on, and returns how
// many it holds and the index of that port. It stops in front of a frame of another, and
// of one longer than limit octets, with mirror.ErrTooLong.
func (b *batch) fill(frames []mirror.Frame, limit int) (n, port int, err error) {
	port = sourcePortIndex(frames[0].Header)
	for n < min(len(frames), batchSize) {
		f := &frames[n]
		if n > 0 && sourcePortIndex(f.Header) != port {
			break
		}
		if f.Len() > limit {
			return n, port, mirror.ErrTooLong
		}
		header, payload := &b.iovs[3*n+1], &b.iovs[3*n+2]
		header.Base = unsafe.SliceData(f.Header)
		header.SetLen(len(f.Header))
		payload.Base = unsafe.SliceData(f.Payload)
		payload.SetLen(len(f.Payload))
		n++
	}
	return n, port, nil
}

// release forgets the first n frames, so that a pooled batch keeps no caller's
// memory alive.
func (b *batch) release(n int) {
	for i := range n {
		b.iovs[3*i+1], b.iovs[3*i+2] = unix.Iovec{}, unix.Iovec{}
	}
}

// send hands the messages [from, to) to the kernel and returns how many it took.
// It never waits, so that the scheduler is not told of it: that would cost more than
// a few frames do. The error is that of the first message.
func (b *batch) send(fd, from, to int) (int, unix.Errno) {
	n, _, errno := unix.RawSyscall6(unix.SYS_SENDMMSG, uintptr(fd),
		uintptr(unsafe.Pointer(&b.msgs[from])), uintptr(to-from), unix.MSG_DONTWAIT, 0, 0)
	runtime.KeepAlive(b)
	if errno != 0 {
		return 0, errno
	}
	return int(n), 0
}
