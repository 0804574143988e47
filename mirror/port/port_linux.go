package port

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/clearspan/clearspan/mirror"
	"github.com/clearspan/clearspan/mirror/afpacket"
	"github.com/clearspan/clearspan/mirror/xdp"
)

// Method is how frames reach the interface.
type Method string

const (
	Auto     Method = "auto"     // the best that works
	SendMMsg Method = "sendmmsg" // a packet socket, frame by frame
	GSO      Method = "gso"      // a packet socket, super-segments
	XDP      Method = "xdp"      // an AF_XDP socket
)

// Config describes a sink. Only Interface is required.
type Config struct {
	Interface string          // name of the interface, 1 to 15 octets; it need not exist
	Method    Method          // "" is Auto
	Full      mirror.Overflow // this and Patience as in afpacket.Config
	Patience  time.Duration
	MTU       int          // longest IP packet, in octets, if less than the interface's; 0: that
	Logger    *slog.Logger // nil discards
}

// Sink is what every method opens.
type Sink interface {
	mirror.Sink
	Stats() afpacket.Stats
	// Close ends the sink; later Sends fail with mirror.ErrClosed. It returns nil.
	Close() error
}

// Open returns a sink for cfg.Interface, in the network namespace of the calling
// thread, and the method it uses. With Auto it fails only if none can be had.
// The caller must Close the sink.
func Open(cfg Config) (Sink, Method, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Method != Auto && cfg.Method != "" {
		s, err := open(cfg, cfg.Method)
		if cfg.Method == XDP && errors.Is(err, unix.EBUSY) {
			return openTurn(cfg, err)
		}
		return s, cfg.Method, err
	}
	var reasons []error // against those that cost less
	for _, m := range []Method{GSO, XDP, SendMMsg} {
		s, err := open(cfg, m)
		if err == nil {
			err = test(cfg.Interface, s)
			if err == nil || errors.Is(err, errUntested) || m == SendMMsg {
				logMethod(cfg, m, append(reasons, err))
				return s, m, nil
			}
			s.Close()
		}
		reasons = append(reasons, fmt.Errorf("%s: %w", m, err))
		if m == XDP && errors.Is(err, unix.EBUSY) {
			return openTurn(cfg, reasons...)
		}
	}
	return nil, "", errors.Join(reasons...)
}

func open(cfg Config, m Method) (Sink, error) {
	switch m {
	case SendMMsg, GSO:
		s, err := afpacket.Open(afpacket.Config{Interface: cfg.Interface, Full: cfg.Full, Patience: cfg.Patience, GSO: m == GSO, MTU: cfg.MTU, Logger: cfg.Logger})
		if err != nil {
			return nil, err
		}
		return s, nil
	case XDP:
		s, err := xdp.Open(xdp.Config{Interface: cfg.Interface, Full: cfg.Full, Patience: cfg.Patience, MTU: cfg.MTU, Logger: cfg.Logger})
		if err != nil {
			return nil, err
		}
		return s, nil
	}
	return nil, fmt.Errorf("unknown method %q", m)
}

// logMethod logs the choice. reasons may hold nil.
func logMethod(cfg Config, m Method, reasons []error) {
	reason := "cheapest, and works"
	if err := errors.Join(reasons...); err != nil {
		reason = strings.ReplaceAll(err.Error(), "\n", "; ")
	}
	cfg.Logger.Info("mirror method chosen", "iface", cfg.Interface, "method", string(m), "reason", reason)
}
