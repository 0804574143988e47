package wire

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// carrierPoll bounds how late a carrier is seen to go or come. The kernel announces it
// at once, but for the second after another announcement.
const carrierPoll = 40 * time.Millisecond

// linkFollower has the legs follow each other: one goroutine watches both, takes a leg down
// when the other one loses its carrier, and sets it up again. What it has taken down is
// in the wire's record, for the next process.
type linkFollower struct {
	w       *wire
	log     *slog.Logger
	flags   *linkFlags
	loss    linkLoss
	downLeg int  // the leg that is down, or is to be set up and was not yet; neither
	failing bool // the last change was not made
	running bool
	stop    chan struct{}
	done    chan struct{}
}

// recordedDownLeg returns the leg that an earlier process has taken down and that stays so,
// since the other one has no carrier still; or neither.
func (w *wire) recordedDownLeg() int {
	if w.config.Link != Both {
		return noLeg
	}
	for i, name := range w.config.Legs {
		if w.record.DownLeg != name {
			continue
		}
		other, err := w.namespace.Links.LinkByName(w.config.Legs[1-i])
		if err == nil && !hasCarrier(other.Attrs().RawFlags) && w.namespace.has(name) {
			return i
		}
	}
	return noLeg
}

// hasCarrier reports whether an interface with these flags is set up and has a carrier.
// IFF_RUNNING follows a carrier late, and is not asked.
func hasCarrier(flags uint32) bool {
	const all = unix.IFF_UP | unix.IFF_LOWER_UP
	return flags&all == all
}

// newLinkFollower prepares to watch the legs, of which down is down, and fresh were set up
// just now.
func (w *wire) newLinkFollower(down int, fresh [2]bool) (*linkFollower, error) {
	c := &linkFollower{w: w, downLeg: down, loss: linkLoss{lostLeg: noLeg}, stop: make(chan struct{}), done: make(chan struct{})}
	if down != noLeg {
		c.loss.lostLeg = 1 - down
	}
	for i, isFresh := range fresh {
		if isFresh {
			c.loss.setUp(i, time.Now())
		}
	}
	var err error
	if c.flags, err = openLinkFlags(w.namespace); err != nil {
		return nil, err
	}
	return c, nil
}

// start starts the goroutine, which close ends.
func (c *linkFollower) start() {
	c.log, c.running = c.w.log, true
	go c.run()
}

func (c *linkFollower) run() {
	defer close(c.done)
	for !c.w.replaced() { // else another process does it
		err := c.follow()
		if err != nil && !c.failing {
			c.log.Warn("legs do not follow each other", "err", err) // it is tried again
		}
		c.failing = err != nil
		c.flags.wait(carrierPoll)
		select {
		case <-c.stop:
			return
		default:
		}
	}
}

// follow does what the legs' carriers ask for.
func (c *linkFollower) follow() error {
	if c.downLeg != noLeg && c.loss.down() == noLeg {
		return c.raise() // it was not to be had before
	}
	var up, carrier [2]bool
	for i, index := range c.w.indexes {
		flags, err := c.flags.of(index)
		if err != nil && !errors.Is(err, unix.ENODEV) { // it was taken out of the machine
			return fmt.Errorf("look at leg %s: %w", c.w.config.Legs[i], err)
		}
		up[i], carrier[i] = flags&unix.IFF_UP != 0, hasCarrier(flags)
	}
	c.loss.update(time.Now(), carrier)
	switch down := c.loss.down(); {
	case down == noLeg && c.downLeg != noLeg:
		return c.raise()
	case down != noLeg && (c.downLeg == noLeg || up[down]):
		return c.lower(down, up[down])
	}
	return nil
}

// lower takes a leg down, if it is up. The record says so first.
func (c *linkFollower) lower(leg int, up bool) error {
	fresh := c.downLeg == noLeg
	c.downLeg = leg
	err := c.w.recordDownLeg(leg)
	if up {
		err = errors.Join(err, c.set(leg, c.w.namespace.Links.LinkSetDown))
	}
	if fresh {
		c.log.Warn("a leg has no carrier: the other one is taken down", "iface", c.w.config.Legs[1-leg], "other", c.w.config.Legs[leg])
	}
	return err
}

// raise sets the leg up that was taken down. Its routes went with it. One that is not in
// the machine any more is a leg without carrier, from now on.
func (c *linkFollower) raise() error {
	leg := c.downLeg
	err := c.set(leg, c.w.namespace.Links.LinkSetUp)
	if gone := errors.As(err, new(netlink.LinkNotFoundError)); !gone {
		if err == nil {
			err = c.w.namespace.route(c.w.indexes, c.w.config.Legs, 1-leg) // which has kept its own
		}
		if err != nil {
			return err
		}
		c.loss.setUp(leg, time.Now())
	}
	c.downLeg = noLeg
	if c.loss.down() == noLeg {
		c.log.Info("a leg has its carrier again: the other one is set up", "iface", c.w.config.Legs[1-leg], "other", c.w.config.Legs[leg])
	}
	return c.w.recordDownLeg(noLeg)
}

func (c *linkFollower) set(leg int, set func(netlink.Link) error) error {
	link, err := c.w.namespace.Links.LinkByIndex(c.w.indexes[leg])
	if err == nil {
		err = set(link)
	}
	if err != nil {
		return fmt.Errorf("set leg %s: %w", c.w.config.Legs[leg], err)
	}
	return nil
}

// recordDownLeg records which leg is down.
func (w *wire) recordDownLeg(leg int) error {
	name := ""
	if leg != noLeg {
		name = w.config.Legs[leg]
	}
	if w.record.DownLeg == name {
		return nil
	}
	w.record.DownLeg = name
	return w.record.write(w.name)
}

// close ends the goroutine. A leg that is down comes up: nobody would do that later.
func (c *linkFollower) close() (err error) {
	if c.running {
		close(c.stop)
		<-c.done
		if c.downLeg != noLeg && !c.w.replaced() {
			err = c.raise()
		}
	}
	c.flags.close()
	return err
}
