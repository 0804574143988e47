package pcapng

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/clearspan/clearspan/mirror"
)

// Config describes a sink. Only Directory is required; zero values of the
// others mean what their comments say.
type Config struct {
	Directory string // created with mode 0700 if missing
	Prefix    string // of file names, default "clearspan"; no path separator, no leading dot
	Interface string // name in the files' interface header, default "clearspan"

	RotateSize  int64         // longest file in octets, 0 or at least 256 KiB; 0 = no limit
	RotateEvery time.Duration // longest time that a file is written, 0 = no limit
	Keep        int           // complete files that stay, 0 = all

	// Full is what Send does while all buffers wait for the disk; default mirror.Block:
	// it waits until one is free, the storage fails or the sink is closed.
	Full mirror.Overflow
	// Buffer is how many octets may wait for the disk; default 32 MiB, at least
	// 8 MiB. The memory is taken when it is first needed, and kept until Close.
	Buffer int
	MTU    int          // octets of the longest IP packet, 68 to 65535, default 1500
	Logger *slog.Logger // nil discards

	lost *atomic.Uint64 // frames that the sink lost
}

const (
	defaultName   = "clearspan"
	defaultMTU    = 1500
	defaultBuffer = 32 << 20
	bufferSize    = 4 << 20   // octets, the most that one write takes to the disk, and that some disks take at once
	minRotateSize = 256 << 10 // octets; room for a head and the longest block
	maxHead       = 2 << 10   // octets; headers with the longest interface name, and what a file ends with
)

// withDefaults returns cfg with its zero values replaced, or what is wrong.
func (cfg Config) withDefaults() (Config, error) {
	cfg.Prefix = cmp.Or(cfg.Prefix, defaultName)
	cfg.Interface = cmp.Or(cfg.Interface, defaultName)
	cfg.Buffer = cmp.Or(cfg.Buffer, defaultBuffer)
	cfg.MTU = cmp.Or(cfg.MTU, defaultMTU)
	cfg.lost = new(atomic.Uint64)
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return cfg, cfg.check()
}

// check returns what is wrong with the configuration, or nil.
func (cfg *Config) check() error {
	switch {
	case cfg.Directory == "":
		return errors.New("no capture directory")
	case cfg.Prefix != filepath.Base(cfg.Prefix) || strings.HasPrefix(cfg.Prefix, "."):
		return fmt.Errorf("prefix %q does not begin a file name", cfg.Prefix)
	case len(cfg.Prefix) > 100:
		return fmt.Errorf("prefix of %d octets is longer than 100", len(cfg.Prefix))
	case len(cfg.Interface) > 1000:
		return fmt.Errorf("interface name of %d octets is longer than 1000", len(cfg.Interface))
	case cfg.RotateSize != 0 && cfg.RotateSize < minRotateSize:
		return fmt.Errorf("rotation at %d octets is below %d", cfg.RotateSize, minRotateSize)
	case cfg.RotateEvery < 0:
		return fmt.Errorf("rotation every %v is negative", cfg.RotateEvery)
	case cfg.Keep < 0:
		return fmt.Errorf("%d files to keep is negative", cfg.Keep)
	case !cfg.Full.Valid():
		return fmt.Errorf("unknown full policy %q", cfg.Full)
	case cfg.Buffer < 2*bufferSize || cfg.Buffer > 1<<30:
		return fmt.Errorf("buffer of %d octets is not in %d to %d", cfg.Buffer, 2*bufferSize, 1<<30)
	case cfg.MTU < 68 || cfg.MTU > 65535:
		return fmt.Errorf("MTU %d is not in 68 to 65535", cfg.MTU)
	}
	return nil
}
