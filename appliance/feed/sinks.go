package feed

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"sync/atomic"

	"github.com/clearspan/clearspan/appliance/config"
	"github.com/clearspan/clearspan/appliance/facts"
	"github.com/clearspan/clearspan/appliance/feed/http2"
	"github.com/clearspan/clearspan/appliance/keeper/role"
	"github.com/clearspan/clearspan/appliance/peer"
	"github.com/clearspan/clearspan/appliance/recorder/engine"
	"github.com/clearspan/clearspan/decrypt"
	"github.com/clearspan/clearspan/mirror"
	"github.com/clearspan/clearspan/mirror/pcapip"
	"github.com/clearspan/clearspan/mirror/pcapng"
	"github.com/clearspan/clearspan/mirror/port"
	"github.com/clearspan/clearspan/mirror/vxlan"
)

// Config describes a feed.
type Config struct {
	Mirrors    []config.Mirror
	Facts      *facts.Options // what is read for the audit entry; nil: nothing
	KeyLogFile string         // takes TLS secrets too, if a mirror keeps them; empty: none
	Metrics    Metrics        // nil: nothing is counted
	Holder     *role.Holder   // of listeners that are open already; may be nil
	Logger     *slog.Logger   // nil discards
}

// Metrics counts what mirrors got. name is that of the mirror.
type Metrics interface {
	// Sink announces a mirror and the words for why octets may not reach it, and for
	// why HTTP/2 may stay HTTP/2.
	Sink(name string, losses, raws []string)
	Mirrored(name string, frames, octets uint64)
	MirrorLost(name, reason string, octets uint64)
	Transcoded(name string, streams, octets, replaced, raw uint64, reason string)
}

// New opens every configured mirror. The caller must Close the feed.
func New(cfg Config) (*Feed, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	f := &Feed{facts: cfg.Facts}
	for _, m := range cfg.Mirrors {
		listeners, err := cfg.Holder.Listeners(ResourceName(m))
		if err != nil {
			return nil, errors.Join(err, f.Close())
		}
		m.Live.Listeners = listeners
		if m.Live.Feeders, err = feedersOf(cfg.Holder, m); err != nil {
			return nil, errors.Join(err, f.Close())
		}
		m.Live.Users = cfg.Holder.Users()
		k, err := openSink(m, cfg.Logger.With("mirror", m.Name))
		if err != nil {
			return nil, errors.Join(fmt.Errorf("open mirror %s: %w", m.Name, err), f.Close())
		}
		if k.metrics = cfg.Metrics; k.metrics != nil {
			k.metrics.Sink(m.Name, k.losses(), k.raws())
		}
		f.sinks = append(f.sinks, k)
	}
	var err error
	if f.keys, err = openKeyLog(f.sinks, cfg.KeyLogFile, cfg.Logger); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// ResourceName is the name of what the keeper holds for a mirror.
func ResourceName(m config.Mirror) string { return "mirror/" + m.Name }

// FeedersName is the name of what the keeper holds for processes that hand readers of a
// mirror over, and FeedersPath the place of that socket.
func FeedersName(m config.Mirror) string { return "feeders/" + m.Name }

// FeedersPath is where that socket is. The name is short: paths of sockets have at most 107
// octets.
func FeedersPath(state string, m config.Mirror) string {
	h := fnv.New32a()
	h.Write([]byte(m.Name))
	return filepath.Join(state, fmt.Sprintf("feed-%08x.sock", h.Sum32()))
}

// feedersOf takes the socket from the holder; nil if there is none.
func feedersOf(holder *role.Holder, m config.Mirror) (*net.UnixListener, error) {
	l, err := holder.Listener(FeedersName(m))
	if err != nil || l == nil {
		return nil, err
	}
	u, ok := l.(*net.UnixListener)
	if !ok {
		l.Close()
		return nil, fmt.Errorf("socket of feeds of mirror %s is none", m.Name)
	}
	return u, nil
}

// sink is one configured mirror: its ports, of which a session has one, and what is
// shown there.
type sink struct {
	name    string
	ports   mirror.Balance
	close   func() error
	yield   func()  // takes no more readers; may be nil
	content [4]bool // by decrypt.Content
	options mirror.Options
	streams *http2.Ports   // of HTTP/2 streams; nil: HTTP/2 is shown as it is
	pairs   *pairs         // of open conversations
	engine  *engine.Sender // the recorder of this box, which is shown no frames; nil: another mirror
	metrics Metrics        // may be nil

	named   func(addr netip.Addr, name string) // tells the mirror what an origin is called; may be nil
	secrets func(lines []byte) error           // gives the mirror TLS secrets; may be nil
	status  func() status                      // how the mirror does
	seen    atomic.Uint64                      // frames, when the mirror was last looked at
	last    atomic.Int64                       // when there were more than before, nanoseconds since 1970; 0: never
}

// ready reports whether a conversation can open. What it speaks decides how it is shown in
// frames, and only there.
func (k *sink) ready(protocol string) bool { return protocol != "" || k.engine != nil }

// losses are the words for why octets may not reach the sink.
func (k *sink) losses() []string {
	words := slices.Concat(mirror.LossReasons, []string{lostConcealed, lostUnselected})
	if k.streams != nil {
		words = append(words, http2.LossReasons...)
	}
	return words
}

// raws are the words for why HTTP/2 may stay that; nil if it always does.
func (k *sink) raws() []string {
	if k.streams == nil {
		return nil
	}
	return http2.RawReasons
}

// openers open the ports of a mirror, by its kind.
var openers = map[config.Kind]func(*sink, config.Mirror, *slog.Logger) error{
	config.Interface:  (*sink).openInterface,
	config.PCAPNG:     (*sink).openPCAPNG,
	config.PCAPOverIP: (*sink).openPCAPOverIP,
	config.VXLAN:      (*sink).openVXLAN,

	config.OwnRecorder: (*sink).openRecorder,
}

func newSink(name string) *sink {
	return &sink{name: name, pairs: newPairs(http2.NewPorts())}
}

func openSink(m config.Mirror, log *slog.Logger) (*sink, error) {
	k := newSink(m.Name)
	k.options = mirror.Options{Mark: m.Mark, Ports: portMap(m)}
	for c := range decrypt.Tunneled + 1 {
		k.content[c] = slices.Contains(m.Content, c.String())
	}
	k.content[decrypt.Upgrade] = m.STARTTLS == config.KeepSTARTTLS
	if m.HTTP2 == config.TranscodeHTTP2 {
		k.streams = k.pairs.spare
	}
	open := openers[m.Kind]
	if open == nil {
		return nil, fmt.Errorf("kind %s is not available in this version", m.Kind)
	}
	if err := open(k, m, log); err != nil {
		return nil, err
	}
	return k, nil
}

func (k *sink) openInterface(m config.Mirror, log *slog.Logger) error {
	var ports []port.Sink
	k.close = func() error {
		var errs []error
		for _, p := range ports {
			errs = append(errs, p.Close())
		}
		return errors.Join(errs...)
	}
	for _, name := range m.Interfaces {
		cfg := m.Port
		cfg.Interface, cfg.Logger = name, log
		p, _, err := port.Open(cfg)
		if err != nil {
			return errors.Join(err, k.close())
		}
		ports, k.ports = append(ports, p), append(k.ports, p)
	}
	k.status = func() status { return portStatus(m.Interfaces, ports) }
	return nil
}

func (k *sink) openPCAPNG(m config.Mirror, log *slog.Logger) error {
	cfg := m.Files
	cfg.Interface, cfg.Logger = m.Name, log
	s, err := pcapng.Open(cfg)
	if err != nil {
		return err
	}
	k.ports, k.close, k.named = mirror.Balance{s}, s.Close, s.Name
	k.status = func() status { return fileStatus(s.Stats()) }
	if m.Secrets {
		k.secrets = s.Secrets
	}
	return nil
}

func (k *sink) openPCAPOverIP(m config.Mirror, log *slog.Logger) error {
	cfg := m.Live
	cfg.Permit, cfg.Logger = peer.List{Users: m.Readers, From: m.From}.Permit, log
	s, err := pcapip.Listen(cfg)
	if err != nil {
		return err
	}
	if at, ok := s.Addr().(*net.TCPAddr); ok && !at.IP.IsLoopback() && m.From == nil {
		log.Warn("every machine with a private address may read the mirror, see key from", "listen", s.Addr().String())
	}
	k.ports, k.close, k.yield = mirror.Balance{s}, s.Close, s.Yield
	if path := m.Live.Feeders; path != nil {
		at, _ := path.Addr().(*net.UnixAddr)
		k.yield = func() {
			s.HandOver(context.Background(), func(context.Context) (*net.UnixConn, error) { return net.DialUnix("unix", nil, at) })
		}
	}
	k.status = func() status { return liveStatus(s.Stats()) }
	return nil
}

func (k *sink) openVXLAN(m config.Mirror, log *slog.Logger) error {
	cfg := m.Remote
	cfg.Logger = log
	s, err := vxlan.Open(cfg)
	if err != nil {
		return err
	}
	k.ports, k.close = mirror.Balance{s}, s.Close
	k.status = func() status { return remoteStatus(m.Remote.Remote.String(), s.Stats()) }
	return nil
}

func (k *sink) openRecorder(m config.Mirror, log *slog.Logger) error {
	cfg := m.Engine
	cfg.Logger = log
	var err error
	if k.engine, err = engine.NewSender(cfg); err != nil {
		return err
	}
	k.close = k.engine.Close
	k.status = func() status { return recorderStatus(k.engine.Stats()) }
	return nil
}

func portMap(m config.Mirror) mirror.PortMap {
	switch m.Ports {
	case config.KeepPorts:
		return mirror.KeepPorts
	case config.MapPorts:
		return mirror.MapPorts(m.PortMap)
	}
	return mirror.ClearPorts
}
