package inline

import (
	"errors"
	"fmt"
)

// Words for what became of a session at the device, in audit entries and counters.
const (
	Carried     = "carried"      // to its end
	PortChanged = "port-changed" // the same, seen by the device with another client port
	Reset       = "reset"        // the device reset it
	TimedOut    = "timed-out"    // the device swallowed octets of it
	Bypassed    = "bypassed"     // the device failed, it passed without
	Refused     = "refused"      // the device failed, it was reset
	Broken      = "broken"       // one of its legs broke meanwhile
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
	reasonReset   = "inline-reset"
	reasonTimeout = "inline-timeout"
	reasonFailed  = "inline-failed"
)

var (
	errClosed = errors.New("inline device is closed")
	errDown   = errors.New("device is down")
	errReset  = errors.New("connection reset by the device")
	errTaken  = errors.New("addresses and ports are in use on the chain")
)
