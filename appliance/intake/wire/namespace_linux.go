package wire

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"github.com/clearspan/clearspan/appliance/netspace"
)

const netnsDir = "/run/netns"

// namespace is the network namespace of a wire. It outlives the process.
type namespace struct{ *netspace.Namespace }

func namespaceName(name string) string { return "clearspan-" + name }

// enterNamespace opens the namespace of the wire of that name and makes it if need
// be.
func enterNamespace(name string, create bool) (*namespace, error) {
	n, err := netspace.Find(namespaceName(name))
	if errors.Is(err, fs.ErrNotExist) && create {
		n, err = netspace.Make(namespaceName(name))
	}
	if err != nil {
		return nil, err
	}
	return &namespace{n}, nil
}

// enter opens the wire's namespace. If there is none, it makes one, and takes away what a
// wire has left whose namespace has gone: its programs are on legs that are elsewhere.
func (w *wire) enter() (*namespace, error) {
	n, err := enterNamespace(w.name, false)
	if !errors.Is(err, fs.ErrNotExist) {
		return n, err
	}
	if err := os.RemoveAll(pinDir(w.name)); err != nil {
		return nil, fmt.Errorf("remove pins of a wire that has gone: %w", err)
	}
	return enterNamespace(w.name, true)
}

// hostNamespace opens the namespace of the process's main thread; the caller
// closes it.
func hostNamespace() (netns.NsHandle, error) {
	host, err := netns.GetFromPid(os.Getpid())
	if err != nil {
		return host, fmt.Errorf("open own namespace: %w", err)
	}
	return host, nil
}

// hostLinks opens netlink in the namespace of the process, that is, of its main
// thread.
func hostLinks() (*netlink.Handle, error) {
	host, err := hostNamespace()
	if err != nil {
		return nil, err
	}
	defer host.Close()
	return netlink.NewHandleAt(host, unix.NETLINK_ROUTE)
}
