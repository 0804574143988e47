package netlab

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Offload is work that an interface does in the kernel's place. Its value is
// the ethtool command that sets it; the command that reads it is one less.
type Offload uint32

const (
	// TXChecksum off makes the kernel finish checksums before it hands packets to
	// the interface; segmentation goes off with it. Without this, a veth carries
	// partial sums.
	TXChecksum Offload = unix.ETHTOOL_STXCSUM
	// GSO off keeps segments of the kernel's own sockets at the MTU.
	GSO Offload = unix.ETHTOOL_SGSO
	// TSO is segmentation by the device.
	TSO Offload = unix.ETHTOOL_STSO
	// GRO on merges received frames again, which a recorder must not see.
	GRO Offload = unix.ETHTOOL_SGRO
)

// SetOffload switches offloads of an interface on or off.
func (n *Namespace) SetOffload(ifname string, on bool, offloads ...Offload) error {
	return n.Do(func() error {
		for _, o := range offloads {
			value := uint32(0)
			if on {
				value = 1
			}
			if _, err := ethtool(ifname, uint32(o), value); err != nil {
				return fmt.Errorf("set offload %#x of %s: %w", uint32(o), ifname, err)
			}
		}
		return nil
	})
}

// Offload reports whether an offload of an interface is on.
func (n *Namespace) Offload(ifname string, o Offload) (bool, error) {
	var value uint32
	err := n.Do(func() (err error) {
		value, err = ethtool(ifname, uint32(o)-1, 0)
		return err
	})
	if err != nil {
		return false, fmt.Errorf("read offload %#x of %s: %w", uint32(o), ifname, err)
	}
	return value != 0, nil
}

// ethtool does one SIOCETHTOOL in the calling thread's namespace and returns
// the value that the kernel left.
func ethtool(ifname string, command, value uint32) (uint32, error) {
	if len(ifname) >= unix.IFNAMSIZ {
		return 0, unix.ENODEV
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	defer func() { _ = unix.Close(fd) }()
	argument := struct{ command, value uint32 }{command, value} // struct ethtool_value
	request := struct {                                         // struct ifreq
		name [unix.IFNAMSIZ]byte
		data unsafe.Pointer
		_    [24 - unsafe.Sizeof(uintptr(0))]byte
	}{data: unsafe.Pointer(&argument)}
	copy(request.name[:], ifname)
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCETHTOOL,
		uintptr(unsafe.Pointer(&request))); errno != 0 {
		return 0, errno
	}
	return argument.value, nil
}
