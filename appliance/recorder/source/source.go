// Package source takes frames from where they are captured: network interfaces, feeds over
// TCP (pcap-over-IP), and directories into which others put captures.
//
// A source is opened first, with the rights that this needs, and runs then without them. It
// parses no payload.
package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/clearspan/clearspan/appliance/recorder/volume"
	"github.com/clearspan/clearspan/mirror/capfile"
)

// Source is one of frames.
type Source interface {
	Name() string
	// Run hands out frames until the context ends, or there are no more. They are borrowed. It
	// may call take from several goroutines at once.
	Run(ctx context.Context, take func(volume.Frame)) error
	// Dropped returns how many frames the kernel had no room for, and Filtered how many a filter
	// kept away, since the source was opened.
	Dropped() uint64
	Filtered() uint64
	Close() error
}

// lossless is a source before which no frame is lost.
type lossless struct{}

func (lossless) Dropped() uint64  { return 0 }
func (lossless) Filtered() uint64 { return 0 }

// Feed is a pcap stream over TCP. It is connected again whenever it ends.
func Feed(address string, log *slog.Logger) Source { return &feed{address: address, log: log} }

type feed struct {
	lossless
	address string
	log     *slog.Logger
}

const (
	dialTimeout = 5 * time.Second
	retryAfter  = time.Second
)

func (f *feed) Name() string { return f.address }
func (f *feed) Close() error { return nil }

func (f *feed) Run(ctx context.Context, take func(volume.Frame)) error {
	said := ""
	for {
		err := f.read(ctx, take)
		if ctx.Err() != nil {
			return nil
		}
		if text := fmt.Sprint(err); text != said {
			said = text
			f.log.Warn("feed ended, connecting again", "source", f.address, "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(retryAfter):
		}
	}
}

// read reads one connection.
func (f *feed) read(ctx context.Context, take func(volume.Frame)) error {
	d := net.Dialer{Timeout: dialTimeout}
	c, err := d.DialContext(ctx, "tcp", f.address)
	if err != nil {
		return err
	}
	defer c.Close()
	defer context.AfterFunc(ctx, func() { c.Close() })()
	f.log.Info("feed connected", "source", f.address)
	return frames(ctx, c, take)
}

// frames reads a capture to its end.
func frames(ctx context.Context, in io.Reader, take func(volume.Frame)) error {
	r, err := capfile.NewReader(in)
	if err != nil {
		return err
	}
	for {
		f, err := r.Next()
		if err != nil {
			return err
		}
		take(volume.Frame{Octets: f.Octets, Wire: f.Wire, At: f.At, Link: f.Link, Comment: f.Comment})
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// Directory is one into which captures are put: under a name that begins with a dot or ends
// in .part or .tmp while they are written, or they are read when they have not changed for
// 2 s. What was read is renamed to NAME.done, what cannot be read to NAME.failed.
func Directory(dir string, log *slog.Logger) (Source, error) {
	i, err := os.Stat(dir)
	if err != nil {
		return nil, err
	}
	if !i.IsDir() {
		return nil, fmt.Errorf("%s is no directory", dir)
	}
	return &directory{dir: dir, log: log}, nil
}

type directory struct {
	lossless
	dir string
	log *slog.Logger
}

const (
	lookEvery = time.Second
	settled   = 2 * time.Second
	doneName  = ".done"
	badName   = ".failed"
)

func (d *directory) Name() string { return d.dir }
func (d *directory) Close() error { return nil }

func (d *directory) Run(ctx context.Context, take func(volume.Frame)) error {
	for {
		if err := d.look(ctx, take); err != nil {
			d.log.Warn("directory cannot be read", "source", d.dir, "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(lookEvery):
		}
	}
}

// look reads the captures that are complete, in the order of their names.
func (d *directory) look(ctx context.Context, take func(volume.Frame)) error {
	list, err := os.ReadDir(d.dir)
	if err != nil {
		return err
	}
	for _, e := range list {
		if ctx.Err() != nil {
			return nil
		}
		if !e.Type().IsRegular() || !awaited(e.Name()) {
			continue
		}
		if i, err := e.Info(); err != nil || time.Since(i.ModTime()) < settled {
			continue
		}
		d.read(ctx, filepath.Join(d.dir, e.Name()), take)
	}
	return nil
}

// awaited reports whether a file may be a capture that was not read.
func awaited(name string) bool {
	if strings.HasPrefix(name, ".") {
		return false
	}
	for _, end := range []string{doneName, badName, ".part", ".tmp"} {
		if strings.HasSuffix(name, end) {
			return false
		}
	}
	return true
}

// read reads one capture.
func (d *directory) read(ctx context.Context, file string, take func(volume.Frame)) {
	f, err := os.Open(file)
	if err == nil {
		err = frames(ctx, f, take)
		f.Close()
	}
	if ctx.Err() != nil {
		return // it is read again: the same frames give the same rows
	}
	end := doneName
	if !errors.Is(err, io.EOF) {
		end = badName
		d.log.Warn("capture cannot be read to its end", "file", file, "err", err)
	}
	if err := os.Rename(file, file+end); err != nil {
		d.log.Error("capture cannot be renamed, it will be read again", "file", file, "err", err)
	}
}
