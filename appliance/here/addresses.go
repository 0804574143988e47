package here

import (
	"errors"
	"fmt"
	"net"
	"syscall"

	"github.com/clearspan/clearspan/appliance/config"
)

// addresses opens every listener for a moment.
func addresses(cfg *config.Config, running bool) (list []Finding) {
	for _, l := range Listeners(cfg) {
		err := Free(l.Address)
		switch {
		case err == nil, running && errors.Is(err, syscall.EADDRINUSE), errors.Is(err, syscall.EACCES): // told by capabilities
		case errors.Is(err, syscall.EADDRINUSE):
			at, _ := socket(l.Address)
			list = append(list, Finding{Message: fmt.Sprintf("%s is in use by %s: %s", l.Address, owners(at), l.Part), Keys: l.Keys})
		case errors.Is(err, syscall.EADDRNOTAVAIL):
			list = append(list, Finding{Message: fmt.Sprintf("%s is no address of this machine: %s", l.Address, l.Part), Keys: l.Keys})
		default:
			list = append(list, Finding{Message: err.Error(), Keys: l.Keys})
		}
	}
	return list
}

// Free returns why nothing can listen on an address now, nil if something can.
func Free(address string) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("listen on %s: %w", address, err)
	}
	return l.Close()
}
