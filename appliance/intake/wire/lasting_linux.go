package wire

import (
	"errors"
	"fmt"
	"log/slog"

	"github.com/clearspan/clearspan/appliance/intake"
	"github.com/clearspan/clearspan/appliance/netspace"
)

// errUnsafe is returned by [New] for a wire that would not pass traffic after a kill.
var errUnsafe = errors.New(`down: wire does not hold here: if the process is killed, the kernel takes the wire apart and the cable is cut. ` +
	`Start clearspan where nothing makes a mount namespace for it (not a sandbox of systemd, a container or "ip netns exec"), ` +
	`or set down: block or down_unsafe: true`)

// mayStart refuses a wire whose promise for the time after a kill cannot be kept, and logs
// a warning if the operator accepts that.
func mayStart(c Config, log *slog.Logger) error {
	err := netspace.Lasting()
	if err == nil {
		return nil
	}
	if c.Down == intake.DownWire && !c.DownUnsafe {
		return fmt.Errorf("%w: %w", err, errUnsafe)
	}
	if log != nil {
		log.Warn("a killed process takes the wire apart and cuts the cable", "err", err)
	}
	return nil
}
