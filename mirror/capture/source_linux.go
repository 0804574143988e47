package capture

import (
	"context"
	"fmt"
	"net"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	blockSize = 1 << 20
	retire    = 100 // milliseconds until a block that is not full is handed over
)

// DefaultRing is the size of a ring, in octets.
const DefaultRing = 64 << 20

// Options are those of a source. The zero value is usable.
type Options struct {
	Ring   int               // octets, in whole MiB; default [DefaultRing]
	Filter []unix.SockFilter // what is read; nil: all. It runs in the kernel
}

// Source is a ring of frames between the kernel and us (PACKET_RX_RING, version
// 3). It is not safe for concurrent use, but for Dropped and Filtered.
type Source struct {
	fd     int
	ring   []byte
	blocks int
	next   int    // block to be read
	loop   bool   // the loopback interface, which shows each frame as sent and as received
	back   []byte // a frame with its tag put back
	filter []unix.SockFilter
	count  *counter // of what the filter keeps away; nil: there is no filter
}

// Open starts to read an Ethernet interface of the present network namespace and
// switches promiscuous mode on until Close.
func Open(name string) (*Source, error) {
	list, err := OpenGroup(name, 1, Options{})
	if err != nil {
		return nil, err
	}
	return list[0], nil
}

func open(ifi *net.Interface, o *Options) (*Source, error) {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open packet socket: %w", err)
	}
	s := &Source{fd: fd, loop: ifi.Flags&net.FlagLoopback != 0, blocks: max(o.Ring/blockSize, 1)}
	if o.Ring == 0 {
		s.blocks = DefaultRing / blockSize
	}
	s.filter = o.Filter
	if err := s.setUp(ifi.Index); err != nil {
		s.Close()
		return nil, fmt.Errorf("read interface %s: %w", ifi.Name, err)
	}
	return s, nil
}

func (s *Source) setUp(index int) error {
	if err := attach(s.fd, nothing); err != nil {
		return err
	}
	if err := unix.SetsockoptInt(s.fd, unix.SOL_PACKET, unix.PACKET_VERSION, unix.TPACKET_V3); err != nil {
		return fmt.Errorf("choose version of ring: %w", err)
	}
	request := unix.TpacketReq3{Block_size: blockSize, Block_nr: uint32(s.blocks),
		Frame_size: 1 << 11, Frame_nr: blockSize / (1 << 11) * uint32(s.blocks), Retire_blk_tov: retire}
	if err := unix.SetsockoptTpacketReq3(s.fd, unix.SOL_PACKET, unix.PACKET_RX_RING, &request); err != nil {
		return fmt.Errorf("make ring: %w", err)
	}
	var err error
	if s.ring, err = unix.Mmap(s.fd, 0, blockSize*s.blocks, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED); err != nil {
		return fmt.Errorf("map ring: %w", err)
	}
	all := uint16(unix.ETH_P_ALL)
	if err := unix.Bind(s.fd, &unix.SockaddrLinklayer{Protocol: all<<8 | all>>8, Ifindex: index}); err != nil {
		return fmt.Errorf("bind socket: %w", err)
	}
	member := unix.PacketMreq{Ifindex: int32(index), Type: unix.PACKET_MR_PROMISC}
	if err := unix.SetsockoptPacketMreq(s.fd, unix.SOL_PACKET, unix.PACKET_ADD_MEMBERSHIP, &member); err != nil {
		return fmt.Errorf("switch promiscuous mode on: %w", err)
	}
	return nil
}

// Run calls f with every frame until ctx ends, which it notices within 100 ms.
// The frame, its 802.1Q tag included, is valid until f returns; wire is the
// length it had. Frames that the ring had no room for are not there, see Dropped.
func (s *Source) Run(ctx context.Context, f func(frame []byte, wire int, at time.Time)) error {
	for ctx.Err() == nil {
		block := s.ring[s.next*blockSize:][:blockSize]
		head := (*unix.TpacketBlockDesc)(unsafe.Pointer(&block[0]))
		v1 := (*unix.TpacketHdrV1)(unsafe.Pointer(&head.Hdr[0]))
		if atomic.LoadUint32(&v1.Block_status)&unix.TP_STATUS_USER == 0 {
			poll := []unix.PollFd{{Fd: int32(s.fd), Events: unix.POLLIN | unix.POLLERR}}
			if _, err := unix.Poll(poll, retire); err != nil && err != unix.EINTR {
				return fmt.Errorf("wait for frames: %w", err)
			}
			if poll[0].Revents&unix.POLLERR != 0 {
				code, err := unix.GetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_ERROR)
				if err == nil && code != 0 {
					return fmt.Errorf("read frames: %w", unix.Errno(code))
				}
			}
			continue
		}
		s.block(block, v1, f)
		atomic.StoreUint32(&v1.Block_status, unix.TP_STATUS_KERNEL)
		s.next = (s.next + 1) % s.blocks
	}
	return nil
}

// block hands over the frames of one block.
func (s *Source) block(block []byte, v1 *unix.TpacketHdrV1, f func([]byte, int, time.Time)) {
	at := v1.Offset_to_first_pkt
	for range v1.Num_pkts {
		h := (*unix.Tpacket3Hdr)(unsafe.Pointer(&block[at]))
		from := (*unix.RawSockaddrLinklayer)(unsafe.Pointer(&block[at+unix.SizeofTpacket3Hdr])) // a multiple of TPACKET_ALIGNMENT
		if s.loop && from.Pkttype == unix.PACKET_OUTGOING {
			at += h.Next_offset
			continue
		}
		start := at + uint32(h.Mac)
		frame := block[start : start+h.Snaplen]
		wire := int(h.Len)
		if h.Status&unix.TP_STATUS_VLAN_VALID != 0 && len(frame) >= 14 {
			protocol := uint16(unix.ETH_P_8021Q)
			if h.Status&unix.TP_STATUS_VLAN_TPID_VALID != 0 {
				protocol = h.Hv1.Vlan_tpid
			}
			frame, wire = s.tagged(frame, protocol, uint16(h.Hv1.Vlan_tci)), wire+4
		}
		f(frame, wire, time.Unix(int64(h.Sec), int64(h.Nsec)))
		at += h.Next_offset
	}
}

// tagged returns frame with the tag that the kernel had taken out of it.
func (s *Source) tagged(frame []byte, protocol, tci uint16) []byte {
	s.back = append(s.back[:0], frame[:12]...)
	s.back = append(s.back, byte(protocol>>8), byte(protocol), byte(tci>>8), byte(tci))
	s.back = append(s.back, frame[12:]...)
	return s.back
}

// Dropped returns how many frames the ring had no room for since the last call.
func (s *Source) Dropped() (uint64, error) {
	stats, err := unix.GetsockoptTpacketStatsV3(s.fd, unix.SOL_PACKET, unix.PACKET_STATISTICS)
	if err != nil {
		return 0, fmt.Errorf("read counters of packet socket: %w", err)
	}
	return uint64(stats.Drops), nil
}

// Close gives the ring back. Run must have returned.
func (s *Source) Close() error {
	if s.count != nil {
		unix.Close(s.count.fd)
		s.count = nil
	}
	if s.ring != nil {
		_ = unix.Munmap(s.ring)
		s.ring = nil
	}
	if s.fd < 0 {
		return nil // it was closed: the number may be another file's
	}
	fd := s.fd
	s.fd = -1
	return unix.Close(fd)
}
