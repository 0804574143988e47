package appliance

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"slices"

	"github.com/clearspan/clearspan/appliance/admin"
	"github.com/clearspan/clearspan/appliance/audit"
	"github.com/clearspan/clearspan/appliance/config"
	"github.com/clearspan/clearspan/appliance/feed/http2"
	"github.com/clearspan/clearspan/appliance/peer"
	"github.com/clearspan/clearspan/decrypt"
	"github.com/clearspan/clearspan/decrypt/policy"
	"github.com/clearspan/clearspan/mirror"
	"github.com/clearspan/clearspan/mirror/afpacket"
	"github.com/clearspan/clearspan/mirror/pcapip"
	"github.com/clearspan/clearspan/mirror/pcapng"
	"github.com/clearspan/clearspan/mirror/port"
	"github.com/clearspan/clearspan/mirror/vxlan"
)

// openFeed opens every configured mirror.
func openFeed(mirrors []config.Mirror, metrics *admin.Metrics, log *slog.Logger) (*feed, error) {
	f := &feed{}
	for _, m := range mirrors {
		o, err := openOutlet(m, log.With("mirror", m.Name))
		if err != nil {
			return nil, errors.Join(fmt.Errorf("open mirror %s: %w", m.Name, err), f.close())
		}
		metrics.Sink(m.Name, o.losses(), o.raws())
		o.shown = func(frames, octets uint64) { metrics.Mirrored(m.Name, frames, octets) }
		o.lost = func(reason string, octets uint64) { metrics.MirrorLost(m.Name, reason, octets) }
		o.transcoded = func(t audit.Transcoded) {
			metrics.Transcoded(m.Name, t.Streams, t.Octets, t.Replaced, t.Raw, t.Reason)
		}
		f.outlets = append(f.outlets, o)
	}
	var err error
	if f.keys, err = openKeyLog(f.outlets, os.Getenv("SSLKEYLOGFILE"), log); err != nil {
		return nil, errors.Join(err, f.close())
	}
	return f, nil
}

// losses are the words for why octets may not reach the outlet.
func (o *outlet) losses() []string {
	words := slices.Concat(mirror.LossReasons, []string{lostConcealed, lostUnselected})
	if o.ports != nil {
		words = append(words, http2.LossReasons...)
	}
	return words
}

// raws are the words for why HTTP/2 may stay that; nil if it always does.
func (o *outlet) raws() []string {
	if o.ports == nil {
		return nil
	}
	return http2.RawReasons
}

// close flushes and closes the sinks. No session may be open.
func (f *feed) close() error {
	var errs []error
	for _, o := range f.outlets {
		errs = append(errs, o.close())
	}
	if f.keys != nil {
		errs = append(errs, f.keys.close())
	}
	return errors.Join(errs...)
}

// holds returns an error if a rule chooses a mirror that is not open: after a
// reload sessions would be kept from all others and shown nowhere.
func (f *feed) holds(cfg *config.Config) error {
	missing := func(m *policy.Mirrors) string {
		if m == nil {
			return ""
		}
		for _, name := range m.Names {
			if !slices.ContainsFunc(f.outlets, func(o *outlet) bool { return o.name == name }) {
				return name
			}
		}
		return ""
	}
	if name := missing(cfg.Policy.Mirror); name != "" {
		return fmt.Errorf("policy: mirror %s needs a restart", name)
	}
	for _, r := range cfg.Policy.Rules {
		if name := missing(r.Mirror); name != "" {
			return fmt.Errorf("rule %s: mirror %s needs a restart", r.Name, name)
		}
	}
	return nil
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
		o.sinks, o.close, o.named = mirror.Balance{s}, s.Close, s.Name
		if m.Secrets {
			o.secrets = s.Secrets
		}
	case config.PCAPOverIP:
		slow := pcapip.Drop
		if m.Slow == config.DisconnectSlow {
			slow = pcapip.Disconnect
		}
		permit := peer.List{Users: m.Readers, From: m.From}.Permit
		s, err := pcapip.Listen(pcapip.Config{Addr: m.Listen, Slow: slow, MTU: m.MTU, Permit: permit, Logger: log})
		if err != nil {
			return nil, err
		}
		if at, ok := s.Addr().(*net.TCPAddr); ok && !at.IP.IsLoopback() && m.From == nil {
			log.Warn("every machine with a private address may read the mirror, see key from", "listen", s.Addr().String())
		}
		o.sinks, o.close = mirror.Balance{s}, s.Close
	case config.VXLAN:
		full := vxlan.Drop
		if m.Full == config.Block {
			full = vxlan.Block
		}
		s, err := vxlan.Open(vxlan.Config{
			Remote: m.Remote, VNI: m.VNI, Source: m.Source, MTU: m.MTU, Full: full, Logger: log,
		})
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
		p, _, err := port.Open(port.Config{Interface: name, Method: port.Method(m.Method), Full: full, Patience: m.Patience, MTU: m.MTU, Logger: log})
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
