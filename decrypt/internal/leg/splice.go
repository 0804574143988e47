package leg

import (
	"io"
	"time"
)

// SpliceTo passes up to most octets on inside the kernel, behind what is unread: both
// legs must be sockets. Fewer octets without an error mean an orderly end, and
// Err says so. The two deadlines of the transfer are set to the given one.
func (l *Leg) SpliceTo(to *Leg, most int64, deadline time.Time) (n int64, err error) {
	l.SetReadDeadline(deadline)
	to.SetWriteDeadline(deadline)
	n, err = io.Copy(to.conn, &io.LimitedReader{R: l.conn, N: most})
	if err == nil && n < most {
		l.rerr = io.EOF
	}
	return n, err
}
