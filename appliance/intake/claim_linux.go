package intake

import (
	"errors"
	"fmt"
	"net"
	"strconv"

	"golang.org/x/sys/unix"
)

// errClaimed is returned by newClaim for what another intake has claimed.
var errClaimed = errors.New("in use by another intake")

// claim reserves a name within the network namespace for as long as the process
// lives: it is a socket in the abstract namespace, which the kernel closes even
// if the process is killed.
type claim struct{ socket *net.UnixConn }

func newClaim(name string) (claim, error) {
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: "@clearspan/intake/" + name, Net: "unixgram"})
	if errors.Is(err, unix.EADDRINUSE) {
		return claim{}, errClaimed
	}
	if err != nil {
		return claim{}, fmt.Errorf("claim %s: %w", name, err)
	}
	return claim{socket}, nil
}

func (c claim) Close() error { return c.socket.Close() }

func tableClaim(name string) string { return "table/" + name }
func markClaim(mark uint32) string  { return "mark/" + strconv.FormatUint(uint64(mark), 16) }
func routesClaim(table int) string  { return "routes/" + strconv.Itoa(table) }

// claims are given back together.
type claims []claim

// add claims one more name, or returns errClaimed.
func (c *claims) add(name string) error {
	one, err := newClaim(name)
	if err == nil {
		*c = append(*c, one)
	}
	return err
}

// addSlot claims the mark of the first slot that is free.
func (c *claims) addSlot() (slot int, err error) {
	for slot := range slots {
		if err := c.add(markClaim(slotMark(slot))); !errors.Is(err, errClaimed) {
			return slot, err
		}
	}
	return 0, fmt.Errorf("more than %d tproxy intakes", slots)
}

// Close gives all of them back.
func (c claims) Close() error {
	var errs []error
	for _, one := range c {
		errs = append(errs, one.Close())
	}
	return errors.Join(errs...)
}

// ifUnclaimed calls f, and keeps others from claiming name meanwhile, if nobody
// claims it.
func ifUnclaimed(name string, f func() error) error {
	c, err := newClaim(name)
	if errors.Is(err, errClaimed) {
		return nil
	}
	if err != nil {
		return err
	}
	defer c.Close()
	return f()
}
