package intake

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"slices"
)

// Redirection is what a redirect intake has in the kernel and shares with the process that
// takes its place: the listeners, and the rules that translate connections to them. The
// rules go when the last process ends that has all its files. Its methods are not safe for
// concurrent use.
type Redirection struct {
	rules  *redirectNFT
	claims nameLocks
	files  []*os.File
	passes bool
}

// OpenRedirection starts to redirect, see [NewRedirect]. Connections wait until an intake
// accepts them.
func OpenRedirection(name string, config Redirect) (_ *Redirection, err error) {
	n, err := newRedirectNFT(name, config)
	if err != nil {
		return nil, fmt.Errorf("redirect traffic of intake %s: %w", name, err)
	}
	r := &Redirection{rules: n, passes: true}
	if r.claims, err = n.lock(); err != nil {
		return nil, fmt.Errorf("redirect traffic of intake %s: %w", name, err)
	}
	listeners, err := n.listenRedirected(slog.New(slog.DiscardHandler)) // who accepts warns
	if err == nil {
		r.files, err = filesOf(listeners)
		err = errors.Join(err, closeAll(listeners))
	}
	if err == nil {
		err = n.add()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("redirect traffic of intake %s: %w", name, err), r.Close())
	}
	r.passes = false
	return r, nil
}

// AdoptRedirection takes over what another program of this process has opened, by its
// Files, which it owns; after an error, the caller does.
func AdoptRedirection(name string, config Redirect, files []*os.File) (_ *Redirection, err error) {
	n, err := newRedirectNFT(name, config)
	if err == nil && len(files) < 2 {
		err = errors.New("no listener, or no socket of nftables")
	}
	if err != nil {
		return nil, fmt.Errorf("take over traffic of intake %s: %w", name, err)
	}
	last := len(files) - 1
	r := &Redirection{rules: n, files: files[:last]}
	if n.owner, err = adoptOwner(files[last]); err == nil {
		r.claims, err = n.reserve()
	}
	if err != nil {
		return nil, fmt.Errorf("take over traffic of intake %s: %w", name, err)
	}
	return r, nil
}

// Files returns the listeners, IPv4 first, and the socket that owns the rules. They are
// borrowed.
func (r *Redirection) Files() []*os.File { return append(r.Shared(), r.rules.owner.file) }

// Shared returns the listeners alone, for those who accept. They are borrowed.
func (r *Redirection) Shared() []*os.File { return slices.Clip(r.files) }

// Stop has new connections routed, and closes the listeners. Open sessions are translated
// as before.
func (r *Redirection) Stop() error {
	var err error
	if !r.passes {
		r.passes = true
		err = r.rules.pass()
	}
	return errors.Join(err, closeFiles(r.files))
}

// Close takes the rules away. No session may be left.
func (r *Redirection) Close() error {
	return errors.Join(r.Stop(), r.rules.remove(), r.claims.Close())
}

// listenRedirected listens for redirected connections.
func (r *redirectNFT) listenRedirected(log *slog.Logger) ([]acceptor, error) {
	wildcard := func(f family) netip.Addr { return f.wildcard }
	return r.listen(wildcard, net.ListenConfig{}, log)
}

// given returns the listeners that are open already, and notes them.
func (m *nftMatch) given(listeners []net.Listener) (list []acceptor) {
	for _, l := range listeners {
		m.noteListener(addrPort(l.Addr()))
		list = append(list, l)
	}
	return list
}

// filesOf returns what holds listeners when they are closed.
func filesOf(listeners []acceptor) (files []*os.File, err error) {
	for _, l := range listeners {
		f, err := l.(*net.TCPListener).File()
		if err != nil {
			return files, fmt.Errorf("hold listener: %w", err)
		}
		files = append(files, f)
	}
	return files, nil
}

// closeFiles closes those that are open.
func closeFiles(files []*os.File) error {
	var errs []error
	for _, f := range files {
		if err := f.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
