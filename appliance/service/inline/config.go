package inline

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"regexp"
	"time"

	"github.com/clearspan/clearspan/decrypt"
)

// Config describes an inline device.
type Config struct {
	// Name of the device on this machine, at most 48 letters, digits, dots, dashes;
	// it is also that of the service in audit entries.
	Name string
	// Legs are the names of the two interfaces that the device hangs between: the
	// client's side and the origin's. They bear no addresses and belong to no
	// bridge. The network namespace of the process is without them until Close.
	Legs [2]string
	// VLAN is the tag of all frames on both legs, 1 to 4094; 0: none.
	VLAN uint16
	// Hops is set for a device that routes: the addresses of the box on each leg,
	// and the device's that it sends to, at most one a family and leg. The device
	// must route clients to the first and origins to the second. Empty: the device
	// is transparent to Ethernet, and nobody is asked for its link-layer address.
	Hops [2][]Hop

	// Port is the origin's port that the device sees; 0: what ClearPort gives.
	Port uint16
	// ClearPort gives the port of the protocol in clear, not 0; nil: the real one.
	ClearPort func(*decrypt.Session) uint16
	// Timeout bounds the opening of a connection through the device, and about how
	// long it may leave octets unacknowledged; for four times that it may withhold
	// the end of a direction; 0: 3 s.
	Timeout time.Duration
	// FailOpen has sessions pass without the device that it fails for before it was
	// given any octet; else they are reset.
	FailOpen bool
	Probe    Probe

	Logger *slog.Logger // nil: discarded
}

// Hop is how a leg reaches a device that routes.
type Hop struct {
	Address netip.Prefix // of the box, with the length of the network
	Gateway netip.Addr   // of the device
}

// Probe says how the device is tried while no session proves it at work: by
// connections of our own that are opened and closed through it, from the client's
// side to the origin's.
type Probe struct {
	// Interval between two attempts; 0: 2 s, negative: none. Two that fail in a row
	// mean that the device is down, one that succeeds that it is up.
	Interval time.Duration
	// Client and Origin are what these connections bear, of one family; invalid: the
	// addresses of the legs where the device routes, else 198.18.0.1 and 198.18.0.2
	// (RFC 2544), port 80.
	Client netip.Addr
	Origin netip.AddrPort
}

var nameForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,47}$`)

// complete fills in defaults and reports what is wrong.
func (c Config) complete() (Config, error) {
	if !nameForm.MatchString(c.Name) {
		return c, fmt.Errorf("name %q: not 1 to 48 letters, digits, dots, dashes", c.Name)
	}
	if c.Legs[0] == "" || c.Legs[1] == "" || c.Legs[0] == c.Legs[1] {
		return c, errors.New("not two legs")
	}
	if c.VLAN > 4094 {
		return c, fmt.Errorf("VLAN %d: not 1 to 4094", c.VLAN)
	}
	if err := c.checkHops(); err != nil {
		return c, err
	}
	if c.Timeout <= 0 {
		c.Timeout = 3 * time.Second
	}
	if err := c.completeProbe(); err != nil {
		return c, err
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	c.Logger = c.Logger.With("service", c.Name)
	return c, nil
}

// checkHops reports what is wrong with the hops.
func (c Config) checkHops() error {
	if (len(c.Hops[0]) == 0) != (len(c.Hops[1]) == 0) {
		return errors.New("hops on one leg only")
	}
	for i, hops := range c.Hops {
		for _, h := range hops {
			if !h.Address.IsValid() || h.Address.Addr().Is4() != h.Gateway.Is4() || !h.Address.Masked().Contains(h.Gateway) {
				return fmt.Errorf("hop %s via %s on leg %s: not in one network", h.Address, h.Gateway, c.Legs[i])
			}
		}
	}
	return nil
}

// completeProbe fills in defaults of the probe and reports what is wrong with it.
func (c *Config) completeProbe() error {
	p := &c.Probe
	if p.Interval == 0 {
		p.Interval = 2 * time.Second
	}
	if !p.Client.IsValid() && !p.Origin.IsValid() {
		client, origin := c.probeAddresses()
		p.Client, p.Origin = client, netip.AddrPortFrom(origin, 80)
	}
	if !p.Client.IsValid() || !p.Origin.IsValid() || p.Client.Is4() != p.Origin.Addr().Is4() {
		return fmt.Errorf("probe from %s to %s: not two addresses of one family", p.Client, p.Origin)
	}
	return nil
}

// probeAddresses returns addresses between which the device passes connections.
func (c Config) probeAddresses() (client, origin netip.Addr) {
	for _, near := range c.Hops[0] {
		for _, far := range c.Hops[1] {
			if near.Gateway.Is4() == far.Gateway.Is4() {
				return near.Address.Addr(), far.Address.Addr()
			}
		}
	}
	return netip.AddrFrom4([4]byte{198, 18, 0, 1}), netip.AddrFrom4([4]byte{198, 18, 0, 2})
}

// resolves reports whether neighbours are asked for their addresses.
func (c Config) resolves() bool { return len(c.Hops[0]) > 0 }

// tcpRetries2 is the value of tcp_retries2 with which the kernel gives a connection
// up after at least d without an acknowledgement: it repeats after 200 ms, 400 ms,
// 800 ms and so on. A peer that acknowledges but takes nothing may go on.
func tcpRetries2(d time.Duration) int {
	n := 1
	for ; n < 15 && time.Duration(4<<n-1)*200*time.Millisecond < d; n++ {
	}
	return n
}
