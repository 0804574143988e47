package here

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"syscall"

	"github.com/clearspan/clearspan/appliance/config"
)

// inUse returns err, about an address that another process listens on, in words that name
// the process, the part of the appliance and where its address is set.
func inUse(cfg *config.Config, file string, err error) error {
	op, ok := errors.AsType[*net.OpError](err)
	if !ok || op.Addr == nil || !errors.Is(err, syscall.EADDRINUSE) {
		return err
	}
	at, ok := socket(op.Addr.String())
	if !ok {
		return err
	}
	for _, l := range Listeners(cfg) {
		if a, ok := socket(l.Address); ok && a.Port() == at.Port() && overlap(a, at) {
			return Taken(l, file)
		}
	}
	return fmt.Errorf("%v is in use by %s: %w", op.Addr, owners(at), err)
}

// Taken returns an error that says who has the address of l, and where to set another one.
// file is the configuration file, "" if there is none.
func Taken(l Listener, file string) error {
	at, _ := socket(l.Address)
	if file == "" {
		return fmt.Errorf("%s is in use by %s: %s, %s", l.Address, owners(at), l.Part, l.Flag)
	}
	return config.At(file, fmt.Errorf("%s is in use by %s: %s", l.Address, owners(at), l.Part), l.Keys...)
}

// owners names the processes that listen at an address.
func owners(at netip.AddrPort) string {
	holders := Holders(at)
	if len(holders) == 0 {
		return "another process (root sees which)"
	}
	names := make([]string, min(len(holders), 3))
	for i := range names {
		names[i] = holders[i].String()
	}
	return strings.Join(names, ", ")
}
