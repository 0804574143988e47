package netlab

import (
	"strings"

	"kernel.org/pub/linux/libs/security/libcap/cap"
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
	have, err := cap.GetPID(0)
	if err != nil {
		return err
	}
	var missing []string
	for _, v := range []cap.Value{cap.NET_ADMIN, cap.SYS_ADMIN} {
		if has, err := have.GetFlag(cap.Effective, v); err != nil || !has {
			missing = append(missing, strings.ToUpper(v.String()))
		}
	}
	if len(missing) > 0 {
		return &CapabilityError{missing}
	}
	return nil
}
