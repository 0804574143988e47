package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"time"

	"golang.org/x/net/netutil"
)

const (
	maxConnections = 64 // open at once; others wait in the listen queue
	closeTimeout   = 3 * time.Second
)

// Listen listens at "unix:PATH", for the user alone, or at a loopback ADDRESS:PORT: tokens and
// contents never cross a network in the clear.
func Listen(address string) (net.Listener, error) {
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		if i, err := os.Lstat(path); err == nil && i.Mode()&os.ModeSocket != 0 {
			os.Remove(path) // of a process that died
		}
		l, err := net.Listen("unix", path)
		if err != nil {
			return nil, err
		}
		if err := os.Chmod(path, 0o600); err != nil {
			l.Close()
			return nil, err
		}
		return l, nil
	}
	at, err := netip.ParseAddrPort(address)
	if err != nil || !at.Addr().IsLoopback() {
		return nil, fmt.Errorf("address %q: want unix:PATH, or a loopback address such as 127.0.0.1:8095", address)
	}
	return net.Listen("tcp", at.String())
}

// Serve answers requests until the context ends. It owns the listener.
func Serve(ctx context.Context, l net.Listener, h http.Handler, log *slog.Logger) error {
	s := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      time.Hour, // contents may be large
		IdleTimeout:       30 * time.Second,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	closed := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(closed)
		within, cancel := context.WithTimeout(context.Background(), closeTimeout)
		defer cancel()
		if s.Shutdown(within) != nil {
			s.Close()
		}
	})
	err := s.Serve(netutil.LimitListener(l, maxConnections))
	if !stop() {
		<-closed
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}
