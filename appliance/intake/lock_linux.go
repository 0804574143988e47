package intake

import (
	"errors"
	"fmt"
	"net"
	"strconv"

	"golang.org/x/sys/unix"
)

// errLocked is returned by lockName if another intake holds the lock.
var errLocked = errors.New("in use by another intake")

// nameLock reserves a name within the network namespace for as long as the process
// lives: it is a socket in the abstract namespace, which the kernel closes even
// if the process is killed.
type nameLock struct{ socket *net.UnixConn }

func lockName(name string) (nameLock, error) {
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: "@clearspan/intake/" + name, Net: "unixgram"})
	if errors.Is(err, unix.EADDRINUSE) {
		return nameLock{}, errLocked
	}
	if err != nil {
		return nameLock{}, fmt.Errorf("lock %s: %w", name, err)
	}
	return nameLock{socket}, nil
}

func (c nameLock) Close() error { return c.socket.Close() }

func tableLock(name string) string { return "table/" + name }
func markLock(mark uint32) string  { return "mark/" + strconv.FormatUint(uint64(mark), 16) }
func routesLock(table int) string  { return "routes/" + strconv.Itoa(table) }

// nameLocks are given back together.
type nameLocks []nameLock

// lock locks one more name, or returns errLocked.
func (c *nameLocks) lock(name string) error {
	one, err := lockName(name)
	if err == nil {
		*c = append(*c, one)
	}
	return err
}

// lockSlot locks the mark of the first slot that is free.
func (c *nameLocks) lockSlot() (slot int, err error) {
	for slot := range slots {
		if err := c.lock(markLock(slotMark(slot))); !errors.Is(err, errLocked) {
			return slot, err
		}
	}
	return 0, fmt.Errorf("more than %d tproxy intakes", slots)
}

// Close gives all of them back.
func (c nameLocks) Close() error {
	var errs []error
	for _, one := range c {
		errs = append(errs, one.Close())
	}
	return errors.Join(errs...)
}

// ifUnlocked calls f, and holds the lock of name meanwhile, if nobody
// has it.
func ifUnlocked(name string, f func() error) error {
	c, err := lockName(name)
	if errors.Is(err, errLocked) {
		return nil
	}
	if err != nil {
		return err
	}
	defer c.Close()
	return f()
}
