package inline

import (
	"encoding/binary"
	"fmt"
	"net"
	"sync"

	"golang.org/x/sys/unix"
)

// middlebox is a device of our own: it takes frames from one port and puts them
// out at the other, as they are or otherwise.
type middlebox struct {
	fds [2]int
	wg  sync.WaitGroup

	mu sync.Mutex
	// judge returns what becomes of a frame that came in at port from: what goes
	// on, and what goes back. nil: all goes on.
	judge func(from int, frame []byte) (on, back [][]byte)
}

// middlebox makes the device one.
func (b *testbed) middlebox() *middlebox {
	m := new(middlebox)
	b.exact()
	for i := range m.fds {
		err := b.device.Do(func() error {
			fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
			if err != nil {
				return err
			}
			m.fds[i] = fd
			link, err := net.InterfaceByName(fmt.Sprintf("dev%d", i))
			if err != nil {
				return err
			}
			all := binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, unix.ETH_P_ALL))
			timeout := unix.Timeval{Usec: 100_000}
			for _, err := range []error{
				unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, 1),
				unix.SetsockoptPacketMreq(fd, unix.SOL_PACKET, unix.PACKET_ADD_MEMBERSHIP, &unix.PacketMreq{Ifindex: int32(link.Index), Type: unix.PACKET_MR_PROMISC}),
				unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &timeout),
				unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: all, Ifindex: link.Index}),
			} {
				if err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.t.Fatal(err)
		}
	}
	stop := make(chan struct{})
	for i := range m.fds {
		m.wg.Go(func() { m.pass(i, stop) })
	}
	b.t.Cleanup(func() {
		close(stop)
		m.wg.Wait()
		unix.Close(m.fds[0])
		unix.Close(m.fds[1])
	})
	return m
}

func (m *middlebox) pass(from int, stop <-chan struct{}) {
	frame := make([]byte, 65536)
	for {
		select {
		case <-stop:
			return
		default:
		}
		n, err := unix.Read(m.fds[from], frame)
		if err != nil {
			continue
		}
		m.mu.Lock()
		judge := m.judge
		m.mu.Unlock()
		on, back := [][]byte{frame[:n]}, [][]byte(nil)
		if judge != nil {
			on, back = judge(from, frame[:n])
		}
		for _, f := range on {
			m.put(1-from, f)
		}
		for _, f := range back {
			m.put(from, f)
		}
	}
}

// put sends a frame by a port.
func (m *middlebox) put(port int, frame []byte) { unix.Write(m.fds[port], frame) }

func (m *middlebox) set(judge func(from int, frame []byte) (on, back [][]byte)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.judge = judge
}

// segment is a TCP segment within a frame.
type segment struct {
	frame, ip, tcp []byte // to the end of the frame
	payload        []byte
	v6             bool
}

// dissect finds the segment in a frame.
func dissect(frame []byte) (s segment, ok bool) {
	s.frame = frame
	if len(frame) < 34 {
		return s, false
	}
	s.ip = frame[14:]
	switch binary.BigEndian.Uint16(frame[12:]) {
	case unix.ETH_P_IP:
		if s.ip[9] != unix.IPPROTO_TCP {
			return s, false
		}
		s.ip = s.ip[:binary.BigEndian.Uint16(s.ip[2:])]
		s.tcp = s.ip[20:]
	case unix.ETH_P_IPV6:
		if s.ip[6] != unix.IPPROTO_TCP {
			return s, false
		}
		s.v6 = true
		s.ip = s.ip[:40+binary.BigEndian.Uint16(s.ip[4:])]
		s.tcp = s.ip[40:]
	default:
		return s, false
	}
	s.payload = s.tcp[s.tcp[12]>>4*4:]
	return s, true
}

func (s segment) syn() bool { return s.tcp[13]&0x12 == 0x02 }

// sum writes the checksum of the segment.
func (s segment) sum() {
	at := s.ip[8:40]
	if !s.v6 {
		at = s.ip[12:20]
	}
	sum := uint32(unix.IPPROTO_TCP) + uint32(len(s.tcp))
	binary.BigEndian.PutUint16(s.tcp[16:], 0)
	for _, part := range [][]byte{at, s.tcp} {
		for i, b := range part {
			sum += uint32(b) << (8 * (1 - i&1))
		}
	}
	for sum>>16 > 0 {
		sum = sum>>16 + sum&0xffff
	}
	binary.BigEndian.PutUint16(s.tcp[16:], ^uint16(sum))
}

// reply is a bare segment back to the sender, as if its peer had sent it.
func (s segment) reply(flags byte) []byte {
	header := 34
	if s.v6 {
		header = 54
	}
	f := append([]byte(nil), s.frame[:header+20]...)
	copy(f[0:], s.frame[6:12])
	copy(f[6:], s.frame[0:6])
	if s.v6 {
		copy(f[22:], s.frame[38:54])
		copy(f[38:], s.frame[22:38])
		binary.BigEndian.PutUint16(f[18:], 20)
	} else {
		copy(f[26:], s.frame[30:34])
		copy(f[30:], s.frame[26:30])
		binary.BigEndian.PutUint16(f[16:], 40)
		binary.BigEndian.PutUint16(f[24:], 0)
		sum := uint32(0)
		for i := 14; i < 34; i += 2 {
			sum += uint32(binary.BigEndian.Uint16(f[i:]))
		}
		sum = sum>>16 + sum&0xffff
		binary.BigEndian.PutUint16(f[24:], ^uint16(sum>>16+sum))
	}
	r, _ := dissect(withOffset(f, header))
	copy(r.tcp[0:], s.tcp[2:4])
	copy(r.tcp[2:], s.tcp[0:2])
	copy(r.tcp[4:], s.tcp[8:12]) // goes on where it has acknowledged
	next := binary.BigEndian.Uint32(s.tcp[4:]) + uint32(len(s.payload))
	if s.syn() {
		next++
	}
	binary.BigEndian.PutUint32(r.tcp[8:], next)
	r.tcp[13] = flags | 0x10
	r.sum()
	return f
}

// withOffset writes the length of a header without options.
func withOffset(f []byte, header int) []byte {
	f[header+12] = 5 << 4
	return f
}

const rst, fin = 0x04, 0x01
