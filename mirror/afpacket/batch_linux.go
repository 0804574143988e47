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

// parts is how many iovecs a message has room for: what the kernel shall do
// with the frame (with GSO only), header, payload.
const parts = 3

// vnetHeader is struct virtio_net_hdr, which precedes a frame on a socket with
// PACKET_VNET_HDR; host byte order. Zero: the frame is complete.
type vnetHeader struct {
	flags, gsoType      uint8
	headerLen, gsoSize  uint16
	sumStart, sumOffset uint16
}

const (
	vnetNeedsSum = 1 // VIRTIO_NET_HDR_F_NEEDS_CSUM
	vnetTCPv4    = 1 // VIRTIO_NET_HDR_GSO_TCPV4
	vnetTCPv6    = 4 // VIRTIO_NET_HDR_GSO_TCPV6
)

// batch holds the arguments of one sendmmsg call: for every frame a message
// of two or three iovecs, all with the same destination. It serves one call at
// a time.
//
// The kernel reads iovecs by address, so they must hold real pointers: the
// garbage collector then knows what they refer to, and does not move it. A
// batch is always on the heap (it comes from a pool and points into itself);
// storing a frame's pointers in it makes the compiler keep the frame's octets
// on the heap too, where a growing stack cannot move them.
type batch struct {
	msgs    [batchSize]unix.Mmsghdr
	iovs    [parts * batchSize]unix.Iovec
	vnet    [batchSize]vnetHeader
	addr    unix.RawSockaddrLinklayer
	refusal refusal
}

// newBatch returns a batch whose messages are linked to their iovecs and to
// the destination; only these change from call to call. gso says whether the
// socket wants a vnetHeader in front of each frame.
func newBatch(gso bool) *batch {
	b := new(batch)
	b.addr.Family = unix.AF_PACKET
	for i := range b.msgs {
		iovs := b.iovs[parts*i : parts*(i+1)]
		iovs[0].Base = (*byte)(unsafe.Pointer(&b.vnet[i]))
		iovs[0].SetLen(int(unsafe.Sizeof(b.vnet[i])))
		if !gso {
			iovs = iovs[1:]
		}
		hdr := &b.msgs[i].Hdr
		hdr.Name = (*byte)(unsafe.Pointer(&b.addr))
		hdr.Namelen = unix.SizeofSockaddrLinklayer
		hdr.Iov = &iovs[0]
		hdr.SetIovlen(len(iovs))
	}
	return b
}

// fill points the batch at frames, from the first on, and returns how many it
// holds. It stops in front of a frame that is longer than limit octets on the
// medium, and of a super-segment unless gso says that they are taken, with
// mirror.ErrTooLong.
func (b *batch) fill(frames []mirror.Frame, limit int, gso bool) (int, error) {
	frames = frames[:min(len(frames), batchSize)]
	for i := range frames {
		f := &frames[i]
		size := f.Len()
		if f.Segment > 0 {
			size = len(f.Header) + min(f.Segment, len(f.Payload))
		}
		if size > limit || f.Segment > 0 && !gso {
			return i, mirror.ErrTooLong
		}
		b.point(i, f)
	}
	return len(frames), nil
}

// point makes message i that of f.
func (b *batch) point(i int, f *mirror.Frame) {
	header, payload := &b.iovs[parts*i+1], &b.iovs[parts*i+2]
	header.Base = unsafe.SliceData(f.Header)
	header.SetLen(len(f.Header))
	payload.Base = unsafe.SliceData(f.Payload)
	payload.SetLen(len(f.Payload))
	b.vnet[i] = vnetHeader{}
	if f.Segment > 0 {
		ip, tcp := f.Layers()
		v := vnetHeader{
			flags: vnetNeedsSum, gsoType: vnetTCPv4,
			headerLen: uint16(len(f.Header)), gsoSize: uint16(f.Segment),
			sumStart: uint16(tcp), sumOffset: 16,
		}
		if f.Header[ip]>>4 == 6 {
			v.gsoType = vnetTCPv6
		}
		b.vnet[i] = v
	}
}

// release forgets the first n frames, so that a pooled batch keeps no caller's
// memory alive.
func (b *batch) release(n int) {
	for i := range n {
		clear(b.iovs[parts*i+1 : parts*(i+1)])
	}
}

// send hands the messages [from, to) to the kernel, to go out of the interface
// with the given index, and returns how many it took. It never waits. The
// error is that of the first message; an error of a later one shows in the
// next call.
func (b *batch) send(fd, ifindex, from, to int) (int, unix.Errno) {
	b.addr.Ifindex = int32(ifindex)
	n, _, errno := unix.RawSyscall6(unix.SYS_SENDMMSG, uintptr(fd),
		uintptr(unsafe.Pointer(&b.msgs[from])), uintptr(to-from), unix.MSG_DONTWAIT, 0, 0)
	runtime.KeepAlive(b)
	if errno != 0 {
		return 0, errno
	}
	return int(n), 0
}
