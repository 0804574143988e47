package appliance

import (
	"errors"
	"fmt"
	"log/slog"

	"github.com/clearspan/clearspan/appliance/admin"
	"github.com/clearspan/clearspan/appliance/config"
	"github.com/clearspan/clearspan/decrypt"
	"github.com/clearspan/clearspan/mirror"
	"github.com/clearspan/clearspan/mirror/afpacket"
	"github.com/clearspan/clearspan/mirror/pcapip"
	"github.com/clearspan/clearspan/mirror/pcapng"
	"github.com/clearspan/clearspan/mirror/port"
)

// openFeed opens every configured mirror.
func openFeed(mirrors []config.Mirror, metrics *admin.Metrics, log *slog.Logger) (*feed, error) {
	f := &feed{}
	for _, m := range mirrors {
		o, err := openOutlet(m, log.With("mirror", m.Name))
		if err != nil {
			return nil, errors.Join(fmt.Errorf("open mirror %s: %w", m.Name, err), f.close())
		}
		o.shown = func(frames, octets uint64) { metrics.Mirrored(m.Name, frames, octets) }
		o.lost = func(reason string, octets uint64) { metrics.MirrorLost(m.Name, reason, octets) }
		f.outlets = append(f.outlets, o)
	}
	return f, nil
}

// close flushes and closes the sinks. No session may be open.
func (f *feed) close() error {
	var errs []error
	for _, o := range f.outlets {
		errs = append(errs, o.close())
	}
	return errors.Join(errs...)
}

// openOutlet opens one mirror's sink.
func openOutlet(m config.Mirror, log *slog.Logger) (*outlet, error) {
	o := &outlet{name: m.Name, options: mirror.Options{
		Mark:  mirror.Mark{VLAN: m.Mark.VLAN, SourceMAC: m.Mark.MAC, DSCP: m.Mark.DSCP},
		Ports: portMap(m),
	}}
	for _, c := range m.Content {
		switch c {
		case config.Decrypted:
			o.content[decrypt.Decrypted] = true
		case config.Plain:
			o.content[decrypt.Plain] = true
		case config.Tunneled:
			o.content[decrypt.Tunneled] = true
		}
	}
	o.content[decrypt.Upgrade] = m.STARTTLS == config.KeepSTARTTLS
	switch m.Kind {
	case config.Interface:
		if err := o.openPorts(m, log); err != nil {
			return nil, err
		}
	case config.PCAPNG:
		full := pcapng.Block
		if m.Full == config.Drop {
			full = pcapng.Drop
		}
		s, err := pcapng.Open(pcapng.Config{
			Directory: m.Directory, Interface: m.Name,
			RotateSize: int64(m.Rotate.Size), RotateEvery: m.Rotate.Every, Keep: m.Rotate.Keep,
			Full: full, MTU: m.MTU, Logger: log,
		})
		if err != nil {
			return nil, err
		}
		o.sinks, o.close = mirror.Balance{s}, s.Close
	case config.PCAPOverIP:
		s, err := pcapip.Listen(pcapip.Config{Addr: m.Listen, MTU: m.MTU, Logger: log})
		if err != nil {
			return nil, err
		}
		o.sinks, o.close = mirror.Balance{s}, s.Close
	default:
		return nil, fmt.Errorf("kind %s is not available in this version", m.Kind)
	}
	return o, nil
}

// openPorts opens the sinks of a mirror of kind interface.
func (o *outlet) openPorts(m config.Mirror, log *slog.Logger) error {
	full := afpacket.Drop
	if m.Full == config.Block {
		full = afpacket.Block
	}
	var ports []port.Sink
	o.close = func() error {
		var errs []error
		for _, p := range ports {
			errs = append(errs, p.Close())
		}
		return errors.Join(errs...)
	}
	for _, name := range m.Interfaces {
		p, _, err := port.Open(port.Config{Interface: name, Method: port.Method(m.Method), Full: full, MTU: m.MTU, Logger: log})
		if err != nil {
			return errors.Join(err, o.close())
		}
		ports, o.sinks = append(ports, p), append(o.sinks, p)
	}
	return nil
}

func portMap(m config.Mirror) mirror.PortMap {
	switch m.Ports {
	case config.KeepPorts:
		return mirror.KeepPorts()
	case config.MapPorts:
		return mirror.PortMap(m.PortMap)
	}
	return mirror.DefaultPortMap()
}
