package link

import (
	"fmt"
	"slices"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Offloads reads and sets what an interface does in the kernel's place, in the
// network namespace that OpenOffloads was called in. It is not safe for
// concurrent use.
type Offloads struct{ fd int }

// OpenOffloads opens the socket that requests go through. The caller must
// close it.
func OpenOffloads() (*Offloads, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open control socket: %w", err)
	}
	return &Offloads{fd}, nil
}

// Close releases the socket.
func (o *Offloads) Close() { unix.Close(o.fd) }

// TXChecksum reports whether the kernel leaves transmit checksums of the
// interface to the device.
func (o *Offloads) TXChecksum(name string) (bool, error) {
	value, err := o.ethtool(name, unix.ETHTOOL_GTXCSUM, 0)
	return value != 0, err
}

// SetTXChecksum switches that on or off; segmentation by the device goes with
// it. It needs CAP_NET_ADMIN.
func (o *Offloads) SetTXChecksum(name string, on bool) error {
	value := uint32(0)
	if on {
		value = 1
	}
	_, err := o.ethtool(name, unix.ETHTOOL_STXCSUM, value)
	return err
}

// paravirtual drivers leave sums unfinished when the other end is on the same
// machine.
var paravirtual = []string{"virtio_net", "vmxnet3", "xen_netfront", "hv_netvsc", "veth"}

// Finishes reports whether the device itself completes checksums that the
// kernel leaves to it. One without a bus beneath it is software, which passes
// them on unfinished.
func (o *Offloads) Finishes(name string) bool {
	info, err := unix.IoctlGetEthtoolDrvinfo(o.fd, name)
	if err != nil {
		return false
	}
	bus, driver := unix.ByteSliceToString(info.Bus_info[:]), unix.ByteSliceToString(info.Driver[:])
	return bus != "" && bus != "N/A" && !slices.Contains(paravirtual, driver)
}

// ethtool does one SIOCETHTOOL and returns the value that the kernel left.
func (o *Offloads) ethtool(name string, command, value uint32) (uint32, error) {
	if len(name) >= unix.IFNAMSIZ {
		return 0, unix.ENODEV
	}
	argument := struct{ command, value uint32 }{command, value} // struct ethtool_value
	request := struct {                                         // struct ifreq
		name [unix.IFNAMSIZ]byte
		data unsafe.Pointer
		_    [24 - unsafe.Sizeof(uintptr(0))]byte
	}{data: unsafe.Pointer(&argument)}
	copy(request.name[:], name)
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(o.fd), unix.SIOCETHTOOL,
		uintptr(unsafe.Pointer(&request))); errno != 0 {
		return 0, errno
	}
	return argument.value, nil
}
