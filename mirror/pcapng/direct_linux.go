package pcapng

import (
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// hugePage is the size and alignment of what the kernel can back by one page.
const hugePage = 2 << 20

// setDirect has writes to file pass by the page cache, or not. An error says that
// the file system cannot do that.
func setDirect(file *os.File, direct bool) error {
	flags, err := unix.FcntlInt(file.Fd(), unix.F_GETFL, 0)
	if err != nil {
		return os.NewSyscallError("fcntl", err)
	}
	if flags &^= unix.O_DIRECT; direct {
		flags |= unix.O_DIRECT
	}
	_, err = unix.FcntlInt(file.Fd(), unix.F_SETFL, flags)
	return os.NewSyscallError("fcntl", err)
}

// allocate returns n octets for direct writes, in huge pages if there are any: the
// disk is told of each page. free gives them back and may be nil.
func allocate(n int) (octets []byte, free func()) {
	all, err := unix.Mmap(-1, 0, n+hugePage, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return make([]byte, n), nil
	}
	skip := -int(uintptr(unsafe.Pointer(unsafe.SliceData(all)))) & (hugePage - 1)
	octets = all[skip : skip+n : skip+n]
	_ = unix.Madvise(octets, unix.MADV_HUGEPAGE) // as it may be
	return octets, func() { _ = unix.Munmap(all) }
}
