package main

import (
	"context"
	"io"
	"log/slog"
	"net"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/clearspan/clearspan/appliance/config"
	"github.com/clearspan/clearspan/appliance/keeper/role"
	"github.com/clearspan/clearspan/appliance/privilege/rights"
	"github.com/clearspan/clearspan/appliance/recording"
)

// extractorCommand starts the process that reads the text of files.
var extractorCommand = []string{"/proc/self/exe", "role", rights.Extractor.Name}

// attendedRecorder is the recorder of a box, which a keeper started. It ends when the keeper says
// so, or is gone.
func attendedRecorder() error {
	role.Name()
	o, engine, life, err := recording.Inherited()
	if err != nil {
		return err
	}
	log, err := newLogger(o.Level)
	if err != nil {
		return badConfig(err)
	}
	cfg, err := config.Parse(o.File, o.Text, filepath.Dir(o.File))
	if err != nil {
		return badConfig(err)
	}
	signal.Ignore(syscall.SIGINT, syscall.SIGHUP, syscall.SIGTERM) // the keeper gets them, too
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	go func() {
		io.Copy(io.Discard, life)
		stop()
	}()
	return runSection(ctx, cfg, engine, log.With("role", recording.RoleName), true)
}

// runSection runs the recorder of a configuration. wait says that another one may still be there,
// which ends.
func runSection(ctx context.Context, cfg *config.Config, engine *net.UnixListener, log *slog.Logger, wait bool) error {
	c, err := recording.Config(cfg, engine, log)
	if err != nil {
		return badConfig(err)
	}
	c.Wait = wait
	return runRecorder(ctx, c)
}
