package inline

import (
	"errors"
	"fmt"
)

// Words for what became of a session at the device, in audit entries and counters.
const (
	// The session passed the device to its end.
	Carried = "carried"
	// The session passed the device to its end, with another client port.
	PortChanged = "port-changed"
	// The device reset the session.
	Reset = "reset"
	// The device kept octets of the session back.
	TimedOut = "timed-out"
	// The device failed. The session passed without it.
	Bypassed = "bypassed"
	// The device failed. clearspan reset the session.
	Refused = "refused"
	// A leg of the session broke.
	Broken = "broken"
)

// Words for counters besides, and for probes.
const (
	// Sessions that are open now.
	countOpen = "sessions-open"
	// Connections that came out of the device too late.
	countLate = "late"
	// Probes that failed.
	countProbeFailed = "probe-failed"
	// Probes that succeeded.
	countProbeOK = "probe-ok"
)

// failure is why a session ends. Its reason is in the audit entry.
type failure struct {
	reason string
	err    error
}

func (f *failure) Error() string { return fmt.Sprintf("inline device: %s: %v", f.reason, f.err) }
func (f *failure) Unwrap() error { return f.err }

// Reason returns the word for why the session ends.
func (f *failure) Reason() string { return f.reason }

// Reasons of sessions that end at the device.
const (
	// The inline device reset the session.
	// Cause: The device blocks the content.
	// Do: See the log of the device.
	reasonReset = "inline-reset"
	// The inline device kept octets back for longer than `timeout`.
	// Cause: The device drops frames of the session.
	// Do: See the log of the device.
	reasonTimeout = "inline-timeout"
	// The inline device failed, and `on_failure` is `closed`.
	// Cause: The device or a cable is down.
	// Do: See the log line `inline device is down: no connection comes through`.
	reasonFailed = "inline-failed"
)

var (
	errClosed = errors.New("inline device is closed")
	errDown   = errors.New("device is down")
	errReset  = errors.New("connection reset by the device")
	errInUse  = errors.New("addresses and ports are in use on the chain")
)
