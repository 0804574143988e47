package leg

import (
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// These calls never wait, whatever the mode of the socket (MSG_DONTWAIT). They take
// as long as octets are copied, in which the thread keeps its processor busy. So the
// scheduler is not told of them: of a call that may wait it is told, hands the
// processor to another thread after 20 us, and wakes its monitor to look after that,
// which costs a small request more than its octets do.

// readNow is recv(2). p must not be empty.
func readNow(fd uintptr, p []byte) (int, unix.Errno) {
	for {
		n, _, errno := unix.RawSyscall6(unix.SYS_RECVFROM, fd, uintptr(unsafe.Pointer(&p[0])), uintptr(len(p)), unix.MSG_DONTWAIT, 0, 0)
		if errno != unix.EINTR {
			return int(n), errno
		}
	}
}

// writeNow is send(2). p must not be empty.
func writeNow(fd uintptr, p []byte) (int, unix.Errno) {
	for {
		n, _, errno := unix.RawSyscall6(unix.SYS_SENDTO, fd, uintptr(unsafe.Pointer(&p[0])), uintptr(len(p)), unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, 0, 0)
		if errno != unix.EINTR {
			return int(n), errno
		}
	}
}

// tryWrite is the callback of RawConn.Write: it writes what l.rest holds, and
// reports whether it is done with it, by an error or not.
func (l *Leg) tryWrite(fd uintptr) bool {
	for len(l.rest) > 0 {
		n, errno := writeNow(fd, l.rest)
		switch errno {
		case 0:
			l.rest = l.rest[n:]
		case unix.EAGAIN:
			return false
		default:
			l.werr = os.NewSyscallError("write", errno)
			return true
		}
	}
	return true
}

// put writes p, as conn.Write does. mu is held. It borrows p.
func (l *Leg) put(p []byte) error {
	if l.raw == nil {
		_, err := l.conn.Write(p)
		return err
	}
	l.rest, l.werr = p, nil
	err := l.raw.Write(l.writeFn)
	l.rest = nil
	if err == nil {
		err = l.werr
	}
	return err
}
