package leg

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
)

// again tells crypto/tls that the socket is empty for now. Its Temporary method
// keeps crypto/tls from making the error sticky, so that reading goes on later
// exactly where it stopped.
type again struct{}

func (again) Error() string   { return "socket is empty for now" }
func (again) Timeout() bool   { return false }
func (again) Temporary() bool { return true }

var (
	// ErrAgain says that a read would have to wait.
	ErrAgain error = again{}
	// ErrTooMuch says that more than MaxPeek octets would have to be buffered.
	ErrTooMuch = errors.New("more octets than may be buffered")
)

// IsReset tells whether a transport was torn down by its peer.
func IsReset(err error) bool {
	return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, io.ErrClosedPipe)
}

// IsTimeout tells whether a deadline, or the time for a task, has passed.
func IsTimeout(err error) bool {
	return errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded)
}

// IsGone tells that a leg is closed already, so that no FIN is needed. Linux says
// ENOTCONN where a RST has come before.
func IsGone(err error) bool {
	return errors.Is(err, net.ErrClosed) || errors.Is(err, syscall.ENOTCONN) || IsReset(err)
}
