package source

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/clearspan/clearspan/appliance/recorder/engine"
	"github.com/clearspan/clearspan/appliance/recorder/volume"
)

// Engine has the sessions of engines, which connect to a socket. flush has everything stored
// that was handed out before.
func Engine(name string, l *net.UnixListener, flush func(), log *slog.Logger) Source {
	return &engines{name: name, l: l, flush: flush, log: log}
}

type engines struct {
	lossless
	name  string
	l     *net.UnixListener
	flush func()
	log   *slog.Logger
}

func (e *engines) Name() string { return e.name }
func (e *engines) Close() error {
	if err := e.l.Close(); !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

func (e *engines) Run(ctx context.Context, take func(volume.Frame)) error {
	defer context.AfterFunc(ctx, func() { e.l.Close() })()
	r := engine.Receiver{
		Take: func(p []byte, at time.Time, comment string) {
			take(volume.Frame{Octets: p, Wire: len(p), At: at, Link: engine.LinkType, Comment: comment})
		},
		Flush: e.flush,
	}
	var serving sync.WaitGroup
	defer serving.Wait()
	for {
		conn, err := e.l.AcceptUnix()
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		serving.Go(func() {
			defer conn.Close()
			defer context.AfterFunc(ctx, func() { conn.Close() })()
			if err := r.Serve(conn); err != nil {
				e.log.Warn("engine cannot be read, it connects again", "source", e.name, "err", err)
			}
		})
	}
}
