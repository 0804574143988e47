package afpacket

import (
	"errors"
	"fmt"
	"log/slog"

	"golang.org/x/sys/unix"

	"github.com/clearspan/clearspan/mirror"
	"github.com/clearspan/clearspan/mirror/internal/link"
)

// checksums keeps the sums of what the kernel cuts complete: it switches
// transmit checksum offload of a software device off, which would pass them on
// unfinished, and on again at the end. Its methods are called one at a time.
type checksums struct {
	name     string
	log      *slog.Logger
	offloads *link.Offloads
	index    int   // of the interface that err and restore belong to
	restore  bool  // it was on before
	err      error // why sums cannot be had complete
}

// check makes sure that the interface sends complete sums, at each poll: someone
// else may have changed the offload.
func (c *checksums) check(l link.Link) error {
	if l.State == link.Missing || l.State == link.NotEthernet {
		*c = checksums{name: c.name, log: c.log, offloads: c.offloads}
		return mirror.ErrNoLink
	}
	if c.index != 0 && l.Index != c.index {
		c.restore = false
	}
	c.index = l.Index
	err := c.complete()
	if err != nil && c.err == nil {
		c.log.Warn("mirror interface sends single segments", "iface", c.name, "err", err)
	}
	c.err = err
	return err
}

func (c *checksums) complete() error {
	on, err := c.offloads.TXChecksum(c.name)
	if err != nil {
		return fmt.Errorf("read transmit checksum offload of %s: %w", c.name, err)
	}
	if !on || c.offloads.Finishes(c.name) {
		return nil
	}
	if err := c.offloads.SetTXChecksum(c.name, false); err != nil {
		return fmt.Errorf("switch transmit checksum offload of %s off: %w", c.name, err)
	}
	c.restore = true
	on, err = c.offloads.TXChecksum(c.name)
	if err == nil && on {
		err = fmt.Errorf("transmit checksum offload of %s stays on, sums would be incomplete", c.name)
	}
	return err
}

// openChecksums returns what looks after the interface, which need not exist.
// It fails if the interface exists and its sums cannot be had complete.
func openChecksums(name string, log *slog.Logger) (*checksums, error) {
	offloads, err := link.OpenOffloads()
	if err != nil {
		return nil, err
	}
	c := &checksums{name: name, log: log, offloads: offloads}
	if err := c.complete(); err != nil && !errors.Is(err, unix.ENODEV) {
		c.close()
		return nil, err
	}
	return c, nil
}

// close puts the offload back to what it was.
func (c *checksums) close() {
	if c.restore {
		if err := c.offloads.SetTXChecksum(c.name, true); err != nil {
			c.log.Warn("transmit checksum offload stays off", "iface", c.name, "err", err)
		}
	}
	c.offloads.Close()
}
