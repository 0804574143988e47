package control

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// maxGroups is the greatest number of groups that a process may have (NGROUPS_MAX).
const maxGroups = 65536

// peerGroups returns the supplementary groups of the process that connected
// (SO_PEERGROUPS, since Linux 4.13); none if the kernel does not tell.
func peerGroups(fd int) []int {
	list := make([]uint32, 32)
	for range 2 { // the second time with the length that is needed
		size := uint32(len(list)) * 4
		_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.SOL_SOCKET, unix.SO_PEERGROUPS,
			uintptr(unsafe.Pointer(&list[0])), uintptr(unsafe.Pointer(&size)), 0)
		n := int(size / 4)
		switch {
		case errno == unix.ERANGE && len(list) < n && n <= maxGroups:
			list = make([]uint32, n)
			continue
		case errno != 0 || n > len(list):
			return nil
		}
		groups := make([]int, n)
		for i := range groups {
			groups[i] = int(list[i])
		}
		return groups
	}
	return nil
}
