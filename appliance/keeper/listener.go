package keeper

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
)

// Listener is the resource of a TCP listener. config makes the socket; Multipath TCP is
// off.
func Listener(name, network, address string, config net.ListenConfig) Resource {
	config.SetMultipathTCP(false)
	return Resource{
		Name: name,
		Key:  network + " " + address,
		Open: func() (Holding, error) {
			f, err := listen(network, address, config)
			if err != nil {
				return nil, err
			}
			return Files{f}, nil
		},
		Beside: func(leaving []*os.File) (Holding, error) { return listenBeside(network, address, config, leaving) },
		Adopt:  func(files []*os.File) (Holding, error) { return Files(files), nil },
	}
}

// listen opens a listener, and returns its file alone.
func listen(network, address string, config net.ListenConfig) (*os.File, error) {
	l, err := config.Listen(context.Background(), network, address)
	if err != nil {
		return nil, err
	}
	defer l.Close()
	f, err := l.(*net.TCPListener).File()
	if err != nil {
		return nil, fmt.Errorf("hold listener %s: %w", address, err)
	}
	return f, nil
}

// Files are descriptors that need nothing more than to be open.
type Files []*os.File

// Files implements [Holding].
func (f Files) Files() []*os.File { return f }

// Stop implements [Holding]. A listener without a descriptor refuses.
func (f Files) Stop() error { return f.Close() }

// Close implements [Holding].
func (f Files) Close() error {
	var errs []error
	for _, file := range f {
		if err := file.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// ListenUnix returns a listening Unix socket at a path, for this user only. What an earlier process
// left there is removed. Close leaves the path.
func ListenUnix(path string) (*os.File, error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("remove socket of an earlier process: %w", err)
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, err
	}
	l.SetUnlinkOnClose(false)
	defer l.Close()
	f, err := l.File()
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}
