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

// carriers has the legs follow each other: one goroutine watches both, takes a leg down
// when the other one loses its carrier, and sets it up again. What it has taken down is
// in the wire's record, for the next process.
type carriers struct {
	w       *wire
	log     *slog.Logger
	flags   *linkFlags
	tie     tie
	held    int  // the leg that is down, or is to be set up and was not yet; neither
	failing bool // the last change was not made
	running bool
	stop    chan struct{}
	done    chan struct{}
}

// leftDown returns the leg that an earlier process has taken down and that stays so,
// since the other one has no carrier still; or neither.
func (w *wire) leftDown() int {
	if w.config.Link != Both {
		return neither
	}
	for i, name := range w.config.Legs {
		if w.record.Held != name {
			continue
		}
		other, err := w.room.Links.LinkByName(w.config.Legs[1-i])
		if err == nil && !hasCarrier(other.Attrs().RawFlags) && w.room.has(name) {
			return i
		}
	}
	return neither
}

// hasCarrier reports whether an interface with these flags is set up and has a carrier.
// IFF_RUNNING follows a carrier late, and is not asked.
func hasCarrier(flags uint32) bool {
	const all = unix.IFF_UP | unix.IFF_LOWER_UP
	return flags&all == all
}

// newCarriers prepares to watch the legs, of which held is down, and settling were set
// up just now.
func (w *wire) newCarriers(held int, settling [2]bool) (*carriers, error) {
	c := &carriers{w: w, held: held, tie: tie{lost: neither}, stop: make(chan struct{}), done: make(chan struct{})}
	if held != neither {
		c.tie.lost = 1 - held
	}
	for i, settles := range settling {
		if settles {
			c.tie.raised(i, time.Now())
		}
	}
	var err error
	if c.flags, err = openLinkFlags(w.room); err != nil {
		return nil, err
	}
	return c, nil
}

// start starts the goroutine, which close ends.
func (c *carriers) start(log *slog.Logger) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	c.log, c.running = log.With("intake", c.w.name), true
	go c.run()
}

func (c *carriers) run() {
	defer close(c.done)
	for {
		err := c.look()
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

// look does what the legs' carriers ask for.
func (c *carriers) look() error {
	if c.held != neither && c.tie.down() == neither {
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
	c.tie.look(time.Now(), carrier)
	switch down := c.tie.down(); {
	case down == neither && c.held != neither:
		return c.raise()
	case down != neither && (c.held == neither || up[down]):
		return c.lower(down, up[down])
	}
	return nil
}

// lower takes a leg down, if it is up. The record says so first.
func (c *carriers) lower(leg int, up bool) error {
	fresh := c.held == neither
	c.held = leg
	err := c.w.hold(leg)
	if up {
		err = errors.Join(err, c.set(leg, c.w.room.Links.LinkSetDown))
	}
	if fresh {
		c.log.Warn("a leg has no carrier: the other one is taken down", "iface", c.w.config.Legs[1-leg], "other", c.w.config.Legs[leg])
	}
	return err
}

// raise sets the leg up that was taken down. Its routes went with it. One that is not in
// the machine any more is a leg without carrier, from now on.
func (c *carriers) raise() error {
	leg := c.held
	err := c.set(leg, c.w.room.Links.LinkSetUp)
	if gone := errors.As(err, new(netlink.LinkNotFoundError)); !gone {
		if err == nil {
			err = c.w.room.route(c.w.indexes, c.w.config.Legs, 1-leg) // which has kept its own
		}
		if err != nil {
			return err
		}
		c.tie.raised(leg, time.Now())
	}
	c.held = neither
	if c.tie.down() == neither {
		c.log.Info("a leg has its carrier again: the other one is set up", "iface", c.w.config.Legs[1-leg], "other", c.w.config.Legs[leg])
	}
	return c.w.hold(neither)
}

func (c *carriers) set(leg int, set func(netlink.Link) error) error {
	link, err := c.w.room.Links.LinkByIndex(c.w.indexes[leg])
	if err == nil {
		err = set(link)
	}
	if err != nil {
		return fmt.Errorf("set leg %s: %w", c.w.config.Legs[leg], err)
	}
	return nil
}

// hold records which leg is down.
func (w *wire) hold(leg int) error {
	name := ""
	if leg != neither {
		name = w.config.Legs[leg]
	}
	if w.record.Held == name {
		return nil
	}
	w.record.Held = name
	return w.record.write(w.name)
}

// close ends the goroutine. A leg that is down comes up: nobody would do that later.
func (c *carriers) close() (err error) {
	if c.running {
		close(c.stop)
		<-c.done
		if c.held != neither {
			err = c.raise()
		}
	}
	c.flags.close()
	return err
}
