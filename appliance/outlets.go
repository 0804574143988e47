package appliance

import (
	"errors"
	"fmt"
	"log/slog"

	"github.com/clearspan/clearspan/appliance/admin"
	"github.com/clearspan/clearspan/appliance/audit"
	"github.com/clearspan/clearspan/appliance/config"
	"github.com/clearspan/clearspan/decrypt"
	"github.com/clearspan/clearspan/mirror"
	"github.com/clearspan/clearspan/mirror/afpacket"
	"github.com/clearspan/clearspan/mirror/http2"
	"github.com/clearspan/clearspan/mirror/pcapip"
	"github.com/clearspan/clearspan/mirror/pcapng"
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
		o.transcoded = func(t audit.Transcoded) {
			metrics.Transcoded(m.Name, t.Streams, t.Octets, t.Replaced, t.Raw, t.Reason)
		}
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
	if m.HTTP2 == config.TranscodeHTTP2 {
		o.ports = http2.NewPorts()
	}
	o.content[decrypt.Upgrade] = m.STARTTLS == config.KeepSTARTTLS
	switch m.Kind {
	case config.Interface:
		full := afpacket.Drop
		if m.Full == config.Block {
			full = afpacket.Block
		}
		s, err := afpacket.Open(afpacket.Config{Interface: m.Interface, Full: full, Logger: log})
		if err != nil {
			return nil, err
		}
		o.sink, o.close = s, s.Close
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
		o.sink, o.close = s, s.Close
	case config.PCAPOverIP:
		s, err := pcapip.Listen(pcapip.Config{Addr: m.Listen, MTU: m.MTU, Logger: log})
		if err != nil {
			return nil, err
		}
		o.sink, o.close = s, s.Close
	default:
		return nil, fmt.Errorf("kind %s is not available in this version", m.Kind)
	}
	return o, nil
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
