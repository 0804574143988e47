package xdp

import (
	"errors"
	"fmt"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	ringSize  = 1024 // entries of the transmit and the completion ring
	budget    = 256  // frames that the kernel takes by one call, see XDP_MAX_TX_SKB_BUDGET
	sendSpace = 8 << 20
	// bindPatience is how long a queue is waited for that another socket has
	// just given up: the kernel frees it late.
	bindPatience = 200 * time.Millisecond
	nowhere      = ^uint64(0) // an address outside the memory, which makes a descriptor invalid
)

// socket is an AF_XDP socket bound to queue 0 of one interface. It is not safe
// for concurrent use.
//
// In copy mode the kernel works on the transmit ring only inside a call of kick.
type socket struct {
	fd         int
	index      int // of the interface
	memory     *umem
	tx         ring[unix.XDPDesc]
	completion ring[uint64]
	produced   uint32 // index behind the last descriptor written
	taken      uint32 // index behind the last descriptor that the kernel has taken
}

// openSocket binds a socket for frames of at most chunk octets to the interface
// with the given index, in the calling thread's network namespace. If the queue is taken, it
// waits a moment for it, unless atOnce is set.
func openSocket(index, chunk int, atOnce bool) (_ *socket, err error) {
	s := &socket{fd: -1, index: index}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	if s.fd, err = unix.Socket(unix.AF_XDP, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0); err != nil {
		return nil, fmt.Errorf("open XDP socket: %w", err)
	}
	if s.memory, err = newUmem(chunk, ringSize); err != nil {
		return nil, err
	}
	if err := s.configure(); err != nil {
		return nil, err
	}
	// Fails without CAP_NET_ADMIN, and is not vital.
	_ = unix.SetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, sendSpace)
	patience := bindPatience
	if atOnce {
		patience = 0
	}
	if err := s.bind(patience); err != nil {
		return nil, fmt.Errorf("bind XDP socket: %w", err)
	}
	return s, nil
}

// configure registers the memory and makes the rings. A fill ring must exist,
// though nothing is received.
func (s *socket) configure() error {
	registration := unix.XDPUmemReg{
		Addr: uint64(uintptr(unsafe.Pointer(&s.memory.memory[0]))),
		Len:  uint64(len(s.memory.memory)),
		Size: uint32(s.memory.chunk),
	}
	if err := setsockopt(s.fd, unix.XDP_UMEM_REG, &registration); err != nil {
		return fmt.Errorf("register frame memory: %w", err)
	}
	for _, o := range []struct {
		option int
		size   uint32
	}{{unix.XDP_UMEM_FILL_RING, 64}, {unix.XDP_UMEM_COMPLETION_RING, ringSize}, {unix.XDP_TX_RING, ringSize}} {
		if err := setsockopt(s.fd, o.option, &o.size); err != nil {
			return fmt.Errorf("make ring: %w", err)
		}
	}
	most := uint32(budget)
	// Linux 6.16; without it 32 frames a call are taken.
	_ = setsockopt(s.fd, unix.XDP_MAX_TX_SKB_BUDGET, &most)
	offsets, err := mmapOffsets(s.fd)
	if err != nil {
		return fmt.Errorf("read ring offsets: %w", err)
	}
	if s.tx, err = mapRing[unix.XDPDesc](s.fd, unix.XDP_PGOFF_TX_RING, ringSize, offsets.Tx); err != nil {
		return err
	}
	s.completion, err = mapRing[uint64](s.fd, unix.XDP_UMEM_PGOFF_COMPLETION_RING, ringSize, offsets.Cr)
	return err
}

func (s *socket) bind(patience time.Duration) error {
	address := &unix.SockaddrXDP{Flags: unix.XDP_COPY | unix.XDP_USE_NEED_WAKEUP, Ifindex: uint32(s.index)}
	for waited := time.Duration(0); ; waited += 5 * time.Millisecond {
		err := unix.Bind(s.fd, address)
		if !errors.Is(err, unix.EBUSY) || waited >= patience {
			return err
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// room returns how many descriptors can be written now.
func (s *socket) room() int {
	s.reap()
	return min(len(s.memory.free), ringSize-int(s.produced-s.taken))
}

// reap takes back the memory of frames that the device is done with.
func (s *socket) reap() {
	from, to := s.completion.consumer.Load(), s.completion.producer.Load()
	if from == to {
		return
	}
	for i := from; i != to; i++ {
		s.memory.release(*s.completion.entry(i))
	}
	s.completion.consumer.Store(to)
}

// write puts a frame into the transmit ring, for which there is room. The kernel
// sees it after publish.
func (s *socket) write(header, payload []byte) {
	*s.tx.entry(s.produced) = unix.XDPDesc{Addr: s.memory.put(header, payload), Len: uint32(len(header) + len(payload))}
	s.produced++
}

func (s *socket) publish() { s.tx.producer.Store(s.produced) }

// waiting returns how many frames the device has not sent yet.
func (s *socket) waiting() int {
	completed := s.completion.producer.Load() - s.completion.consumer.Load()
	return max(ringSize-len(s.memory.free)-int(completed), 0)
}

// kick has the kernel take descriptors. It returns how many it took, and
// whether the device dropped the last of these. It never waits.
func (s *socket) kick() (taken int, dropped bool, errno unix.Errno) {
	_, _, errno = unix.RawSyscall6(unix.SYS_SENDTO, uintptr(s.fd), 0, 0, unix.MSG_DONTWAIT, 0, 0)
	before := s.taken
	if now := s.tx.consumer.Load(); int32(now-s.taken) > 0 {
		s.taken = now
	}
	if errno == unix.EBUSY { // the device did not want a frame that was taken
		if s.taken == before {
			s.taken++ // the kernel does not say so if that was the first one
		}
		return int(s.taken - before), true, 0
	}
	return int(s.taken - before), false, errno
}

// cancel takes back the descriptors that the kernel has not taken, and reports
// whether the socket is still good for others.
func (s *socket) cancel() bool {
	if s.taken == s.produced {
		return true
	}
	for i := s.taken; i != s.produced; i++ {
		d := s.tx.entry(i)
		s.memory.release(d.Addr)
		*d = unix.XDPDesc{Addr: nowhere, Len: 1}
	}
	// The kernel passes by what is invalid: recent versions one at each call,
	// others all at once, and they do not say so.
	last := s.tx.consumer.Load()
	for range s.produced - s.taken {
		_, _, errno := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(s.fd), 0, 0, unix.MSG_DONTWAIT, 0, 0)
		if errno != 0 && errno != unix.EINTR {
			return false
		}
		now := s.tx.consumer.Load()
		if now == s.produced || now == last && errno == 0 {
			break
		}
		last = now
	}
	s.taken = s.produced
	return true
}

// close releases the socket and its memory.
func (s *socket) close() {
	if s.fd >= 0 {
		unix.Close(s.fd)
		s.fd = -1
	}
	_ = s.tx.unmap()
	_ = s.completion.unmap()
	if s.memory != nil {
		_ = unix.Munmap(s.memory.memory)
		s.memory = nil
	}
}
