package vxlan

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"

	"github.com/clearspan/clearspan/mirror"
)

// Port is the UDP port of VXLAN (RFC 7348, Section 5).
const Port = 4789

// Config describes a sink. Only Remote is required.
type Config struct {
	Remote netip.AddrPort // of the recorder; port 0 stands for 4789
	VNI    uint32         // VXLAN network identifier, at most 24 bits
	Source netip.Addr     // to send from; invalid: as the route wants it
	MTU    int            // octets of the longest inner IP packet, 68 to 65535; 0 or more than the path takes: what it takes
	// Full is what Send does while a socket's buffer is full; default mirror.Drop.
	// mirror.Block waits, at most 5 s for one frame.
	Full mirror.Overflow
	// SendBuffer is the send buffer of each socket in octets of kernel memory.
	// Zero means 2 MiB with Drop and the system's default with Block. Without
	// CAP_NET_ADMIN the system caps it at net.core.wmem_max.
	SendBuffer int
	Logger     *slog.Logger // nil discards
}

const (
	maxVNI            = 1<<24 - 1
	defaultSendBuffer = 2 << 20 // octets, with Drop
	maxSendBuffer     = 1 << 30 // octets
)

// withDefaults returns cfg with its zero values replaced, or what is wrong.
func (cfg Config) withDefaults() (Config, error) {
	if cfg.Remote.Port() == 0 {
		cfg.Remote = netip.AddrPortFrom(cfg.Remote.Addr(), Port)
	}
	cfg.Remote = netip.AddrPortFrom(cfg.Remote.Addr().Unmap(), cfg.Remote.Port())
	cfg.Source = cfg.Source.Unmap()
	cfg.Full = cmp.Or(cfg.Full, mirror.Drop)
	if cfg.SendBuffer == 0 && cfg.Full == mirror.Drop {
		cfg.SendBuffer = defaultSendBuffer
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return cfg, cfg.check()
}

// check returns what is wrong with the configuration, or nil.
func (cfg *Config) check() error {
	switch remote := cfg.Remote.Addr(); {
	case !remote.IsValid():
		return errors.New("no remote address")
	case remote.IsUnspecified() || remote.IsMulticast() || remote.Zone() != "":
		return fmt.Errorf("remote %v is not the address of one host", remote)
	case cfg.Source.IsValid() && cfg.Source.Is4() != remote.Is4():
		return fmt.Errorf("source %v and remote %v are of different families", cfg.Source, remote)
	case cfg.VNI > maxVNI:
		return fmt.Errorf("network identifier %d is above %d", cfg.VNI, maxVNI)
	case cfg.MTU != 0 && (cfg.MTU < 68 || cfg.MTU > 65535):
		return fmt.Errorf("MTU %d is not in 68 to 65535", cfg.MTU)
	case !cfg.Full.Valid():
		return fmt.Errorf("unknown full policy %q", cfg.Full)
	case cfg.SendBuffer < 0 || cfg.SendBuffer > maxSendBuffer:
		return fmt.Errorf("send buffer of %d octets is not in 0 to %d", cfg.SendBuffer, maxSendBuffer)
	}
	return nil
}
