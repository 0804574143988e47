package wire

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	rooms "github.com/clearspan/clearspan/appliance/room"
)

const namespaces = "/run/netns"

// room is the network namespace of a wire. It outlives the process.
type room struct{ *rooms.Room }

func roomName(name string) string { return "clearspan-" + name }

// enterRoom opens the namespace of the wire of that name and makes it if need
// be.
func enterRoom(name string, create bool) (*room, error) {
	r, err := rooms.Find(roomName(name))
	if errors.Is(err, fs.ErrNotExist) && create {
		r, err = rooms.Make(roomName(name))
	}
	if err != nil {
		return nil, err
	}
	return &room{r}, nil
}

// homeNamespace opens the namespace of the process's main thread; the caller
// closes it.
func homeNamespace() (netns.NsHandle, error) {
	home, err := netns.GetFromPid(os.Getpid())
	if err != nil {
		return home, fmt.Errorf("open own namespace: %w", err)
	}
	return home, nil
}

// homeLinks opens netlink in the namespace of the process, that is, of its main
// thread.
func homeLinks() (*netlink.Handle, error) {
	home, err := homeNamespace()
	if err != nil {
		return nil, err
	}
	defer home.Close()
	return netlink.NewHandleAt(home, unix.NETLINK_ROUTE)
}
