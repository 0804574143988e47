package pcapip

import (
	"fmt"
	"log/slog"
	"net"
	"time"
)

// Config describes a sink. All zero values mean what the comments say.
type Config struct {
	Addr       string // TCP address to listen on, default 127.0.0.1:57012
	Slow       Slow
	Buffer     int           // octets in a reader's queue, default 16 MiB, at least 256 KiB; memory is taken as needed
	MaxReaders int           // at a time, default 8
	Timeout    time.Duration // for a reader to take up to 128 KiB, default 30 s
	MTU        int           // octets of the longest IP packet, 68 to 65535, default 1500
	Logger     *slog.Logger  // nil discards

	// Feeders is where the sink of a process that ends its sessions hands readers and frames
	// over, see [Sink.HandOver]. The sink owns it. nil: nobody does.
	Feeders *net.UnixListener
	// Users are the users, by their numbers, whose processes may hand over beside root's
	// and those of the user of this process.
	Users []int

	// Listeners are open already; none: one is opened at Addr. The sink owns them.
	Listeners []net.Listener

	// Permit is asked before a reader is served, one at a time; it borrows conn and
	// must not read from it. With an error, the reader is disconnected. nil permits
	// all.
	Permit func(conn net.Conn) error
}

const (
	defaultAddr       = "127.0.0.1:57012"
	defaultBuffer     = 16 << 20
	defaultMaxReaders = 8
	defaultTimeout    = 30 * time.Second
	defaultMTU        = 1500
)

// withDefaults returns cfg with its zero values replaced, or what is wrong.
func (cfg Config) withDefaults() (Config, error) {
	if cfg.Addr == "" {
		cfg.Addr = defaultAddr
	}
	if cfg.Buffer == 0 {
		cfg.Buffer = defaultBuffer
	}
	if cfg.MaxReaders == 0 {
		cfg.MaxReaders = defaultMaxReaders
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = defaultTimeout
	}
	if cfg.MTU == 0 {
		cfg.MTU = defaultMTU
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	switch {
	case cfg.Slow != "" && cfg.Slow != Skip && cfg.Slow != Disconnect:
		return cfg, fmt.Errorf("unknown policy %q for slow readers", cfg.Slow)
	case cfg.Buffer < 2*chunkSize || cfg.Buffer > 1<<30:
		return cfg, fmt.Errorf("buffer of %d octets is not in %d to %d", cfg.Buffer, 2*chunkSize, 1<<30)
	case cfg.MaxReaders < 1 || cfg.MaxReaders > 1000:
		return cfg, fmt.Errorf("%d readers is not in 1 to 1000", cfg.MaxReaders)
	case cfg.Timeout < 0:
		return cfg, fmt.Errorf("timeout %v is negative", cfg.Timeout)
	case cfg.MTU < 68 || cfg.MTU > 65535:
		return cfg, fmt.Errorf("MTU %d is not in 68 to 65535", cfg.MTU)
	}
	return cfg, nil
}
