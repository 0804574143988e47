package netlab

import (
	"strings"

	"golang.org/x/sys/unix"
)

// CapabilityError says which capabilities this process lacks for a lab.
type CapabilityError struct {
	Missing []string // as in capabilities(7)
}

func (e *CapabilityError) Error() string {
	return "network namespaces need " + strings.Join(e.Missing, " and ") + ": run as root"
}

// checkCapabilities returns a *CapabilityError if this process cannot make
// namespaces.
func checkCapabilities() error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return err
	}
	var missing []string
	for _, c := range []struct {
		bit  uint
		name string
	}{{unix.CAP_NET_ADMIN, "CAP_NET_ADMIN"}, {unix.CAP_SYS_ADMIN, "CAP_SYS_ADMIN"}} {
		if data[c.bit/32].Effective&(1<<(c.bit%32)) == 0 {
			missing = append(missing, c.name)
		}
	}
	if len(missing) > 0 {
		return &CapabilityError{missing}
	}
	return nil
}
