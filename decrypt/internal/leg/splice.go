package leg

import (
	"io"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// SpliceTo passes up to most octets on inside the kernel, behind what is unread: both
// legs must be sockets. Fewer octets without an error mean an orderly end, and
// Err says so. The deadlines of the transfer are set to the given ones. If that of the
// reader passes, n octets have arrived and none is lost; if that of the writer passes,
// some are.
func (l *Leg) SpliceTo(to *Leg, most int64, read, write time.Time) (n int64, err error) {
	l.SetReadDeadline(read)
	to.SetWriteDeadline(write)
	n, err = io.Copy(to.conn, &io.LimitedReader{R: l.conn, N: most})
	if err == nil && n < most {
		l.rerr = io.EOF
	}
	return n, err
}

// AwaitSocket waits until the socket has octets, or its end or an error, and takes
// nothing. It is for legs that are sockets. The read deadline is set to the given one.
func (l *Leg) AwaitSocket(deadline time.Time) error {
	l.SetReadDeadline(deadline)
	return l.raw.Read(func(fd uintptr) bool {
		var first byte
		for {
			_, _, errno := unix.RawSyscall6(unix.SYS_RECVFROM, fd, uintptr(unsafe.Pointer(&first)), 1, unix.MSG_DONTWAIT|unix.MSG_PEEK, 0, 0)
			if errno != unix.EINTR {
				return errno != unix.EAGAIN
			}
		}
	})
}
