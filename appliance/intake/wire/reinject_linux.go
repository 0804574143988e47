package wire

import (
	"encoding/binary"
	"fmt"

	"golang.org/x/sys/unix"
)

// Marks by which the programs know frames that were held, those that were made of
// octets that may pass, and those that are to be answered.
const (
	markReplayed = 4
	markJudged   = 5
	markRefused  = 6
)

// injector sends frames that were held back to where they came in. What becomes
// of them then is what their flow's state says.
type injector struct {
	fd      int
	mark    int // of the socket now
	indexes [2]int
	buffer  []byte
}

// netHeader is the length of struct virtio_net_hdr, by which the kernel is told
// that a frame is several segments.
const netHeader = 10

func openInjector(n *namespace, indexes [2]int) (*injector, error) {
	fd, err := n.Socket(unix.AF_PACKET, unix.SOCK_RAW, 0)
	if err == nil {
		err = unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_VNET_HDR, 1)
	}
	if err == nil {
		err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_MARK, markReplayed)
	}
	if err != nil {
		return nil, fmt.Errorf("open packet socket: %w", err)
	}
	return &injector{fd: fd, mark: markReplayed, indexes: indexes}, nil
}

// setMark changes what the programs take the next frames for.
func (r *injector) setMark(mark int) error {
	if r.mark == mark {
		return nil
	}
	if err := unix.SetsockoptInt(r.fd, unix.SOL_SOCKET, unix.SO_MARK, mark); err != nil {
		return fmt.Errorf("mark packet socket: %w", err)
	}
	r.mark = mark
	return nil
}

// send writes one frame, whose checksum it completes. It belongs to one
// goroutine.
func (r *injector) send(h *heldFrame) error {
	f := h.frame
	// Its receiver would take an urgent octet out of what was judged.
	f.octets[f.tcp+13] &^= flagURG
	binary.BigEndian.PutUint16(f.octets[f.tcp+18:], 0)
	several := h.segment > 0 && f.end-f.body > int(h.segment)
	f.setChecksum(several)
	b := append(r.buffer[:0], make([]byte, netHeader)...)
	tag := 0
	if h.tagged {
		tag = 4
	}
	if several {
		kind := byte(unix.VIRTIO_NET_HDR_GSO_TCPV4)
		if f.v6 {
			kind = unix.VIRTIO_NET_HDR_GSO_TCPV6
		}
		b[0], b[1] = unix.VIRTIO_NET_HDR_F_NEEDS_CSUM, kind
		binary.NativeEndian.PutUint16(b[2:], uint16(f.body+tag))
		binary.NativeEndian.PutUint16(b[4:], h.segment)
		binary.NativeEndian.PutUint16(b[6:], uint16(f.tcp+tag))
		binary.NativeEndian.PutUint16(b[8:], 16)
	}
	b = append(b, f.octets[:12]...)
	if h.tagged {
		b = binary.BigEndian.AppendUint16(append(b, 0x81, 0x00), h.tci)
	}
	b = append(b, f.octets[12:]...)
	r.buffer = b
	if err := unix.Sendto(r.fd, b, 0, &unix.SockaddrLinklayer{Ifindex: r.indexes[h.leg&1]}); err != nil {
		return fmt.Errorf("reinject frame: %w", err)
	}
	return nil
}

func (r *injector) close() error { return unix.Close(r.fd) }
