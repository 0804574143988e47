package capture

import (
	"errors"
	"fmt"
	"net"

	"golang.org/x/sys/unix"
)

// MaxGroup bounds the rings of an interface.
const MaxGroup = 64

// OpenGroup is like Open, for an interface whose frames are more than one thread can read. The
// kernel deals them out by their addresses and ports (PACKET_FANOUT_HASH): both directions of a
// connection come by the same source, fragments with the others. Each source has a ring. All
// of them begin at the same time, when all are ready.
func OpenGroup(name string, n int, o Options) (list []*Source, err error) {
	ifi, err := net.InterfaceByName(name)
	if err != nil {
		return nil, fmt.Errorf("open interface %s: %w", name, err)
	}
	defer func() {
		if err != nil {
			for _, s := range list {
				s.Close()
			}
			list = nil
		}
	}()
	group := -1
	for range min(max(n, 1), MaxGroup) {
		s, err := open(ifi, &o)
		if err != nil {
			return list, err
		}
		list = append(list, s)
		if n > 1 {
			if group, err = s.join(group); err != nil {
				return list, fmt.Errorf("read interface %s: join the rings: %w", name, err)
			}
		}
	}
	if o.Filter != nil {
		if list[0].count, err = newCounter(ifi.Index, list[0].filter); err != nil {
			return list, fmt.Errorf("read interface %s: %w", name, err)
		}
	}
	for _, s := range list {
		if err := s.begin(); err != nil {
			return list, fmt.Errorf("read interface %s: %w", name, err)
		}
	}
	return list, nil
}

// join makes the source one of a group; -1 is a new one.
func (s *Source) join(group int) (int, error) {
	mode := unix.PACKET_FANOUT_HASH | unix.PACKET_FANOUT_FLAG_DEFRAG
	if group < 0 {
		if err := unix.SetsockoptInt(s.fd, unix.SOL_PACKET, unix.PACKET_FANOUT, (mode|unix.PACKET_FANOUT_FLAG_UNIQUEID)<<16); err != nil {
			return group, err
		}
		value, err := unix.GetsockoptInt(s.fd, unix.SOL_PACKET, unix.PACKET_FANOUT)
		return value & 0xffff, err
	}
	return group, unix.SetsockoptInt(s.fd, unix.SOL_PACKET, unix.PACKET_FANOUT, mode<<16|group)
}

// begin has frames come. None came before.
func (s *Source) begin() error {
	if s.filter != nil {
		return attach(s.fd, s.filter)
	}
	if err := unix.SetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_DETACH_FILTER, 0); err != nil {
		return fmt.Errorf("detach filter: %w", err)
	}
	return nil
}

// nothing is a filter that no frame passes.
var nothing = []unix.SockFilter{{Code: unix.BPF_RET | unix.BPF_K}}

// maxFilter bounds the instructions of a filter (BPF_MAXINSNS).
const maxFilter = 4096

func attach(fd int, filter []unix.SockFilter) error {
	if len(filter) == 0 || len(filter) > maxFilter {
		return fmt.Errorf("attach filter: %d instructions, want 1 to %d", len(filter), maxFilter)
	}
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	if err := unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &program); err != nil {
		return fmt.Errorf("attach filter: %w", err)
	}
	return nil
}

// counter counts the frames that a filter keeps away, which the kernel does not: it is a socket
// that takes those, and has no room for them.
type counter struct{ fd int }

func newCounter(index int, filter []unix.SockFilter) (*counter, error) {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open packet socket: %w", err)
	}
	all := uint16(unix.ETH_P_ALL)
	err = errors.Join(
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, 0), // the least there is
		attach(fd, inverted(filter)),
		unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: all<<8 | all>>8, Ifindex: index}),
	)
	if err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("count what is filtered: %w", err)
	}
	return &counter{fd}, nil
}

// inverted returns a filter that passes what another one does not.
func inverted(filter []unix.SockFilter) []unix.SockFilter {
	list := make([]unix.SockFilter, len(filter))
	for i, f := range filter {
		if f.Code == unix.BPF_RET|unix.BPF_K {
			if f.K > 0 {
				f.K = 0
			} else {
				f.K = 1
			}
		}
		list[i] = f
	}
	return list
}

// Filtered returns how many frames the filter kept away since the last call. Of a group, the
// first source counts those of all.
func (s *Source) Filtered() (uint64, error) {
	if s.count == nil {
		return 0, nil
	}
	stats, err := unix.GetsockoptTpacketStats(s.count.fd, unix.SOL_PACKET, unix.PACKET_STATISTICS)
	if err != nil {
		return 0, fmt.Errorf("read counters of packet socket: %w", err)
	}
	return uint64(stats.Packets), nil
}
