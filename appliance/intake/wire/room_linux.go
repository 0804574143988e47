package wire

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

const namespaces = "/run/netns"

// room is the network namespace of a wire, with a thread inside that does what
// has to be done there. Safe for concurrent use.
type room struct {
	links *netlink.Handle
	fresh bool // it was made, not found
	jobs  chan func()
	quit  chan struct{} // closed by close
	gone  chan struct{} // closed by the thread
}

func roomName(name string) string { return "clearspan-" + name }

// enterRoom opens the namespace of the wire of that name and makes it if need
// be. It outlives the process.
func enterRoom(name string, create bool) (*room, error) {
	r := &room{jobs: make(chan func()), quit: make(chan struct{}), gone: make(chan struct{})}
	ready := make(chan error, 1)
	go r.run(name, create, ready)
	if err := <-ready; err != nil {
		return nil, fmt.Errorf("enter namespace %s: %w", roomName(name), err)
	}
	return r, nil
}

// run is the thread. It is never given back to the scheduler, so that it ends
// with the goroutine, namespace and all.
func (r *room) run(name string, create bool, ready chan<- error) {
	runtime.LockOSThread()
	if unix.Gettid() == unix.Getpid() { // the main thread would stay for ever
		started := make(chan struct{})
		go func() {
			close(started)
			r.run(name, create, ready)
		}()
		<-started
		runtime.UnlockOSThread()
		return
	}
	defer close(r.gone)
	if err := r.enter(name, create); err != nil {
		ready <- err
		return
	}
	defer r.links.Close()
	ready <- nil
	for {
		select {
		case job := <-r.jobs:
			job()
		case <-r.quit:
			return
		}
	}
}

func (r *room) enter(name string, create bool) error {
	handle, err := netns.GetFromName(roomName(name))
	switch {
	case err == nil:
		err = netns.Set(handle)
	case errors.Is(err, fs.ErrNotExist) && create:
		r.fresh = true
		handle, err = netns.NewNamed(roomName(name))
	}
	if err != nil {
		return err
	}
	defer handle.Close()
	r.links, err = netlink.NewHandle(unix.NETLINK_ROUTE)
	return err
}

// do runs f in the namespace. f must not block for long, nor call do.
func (r *room) do(f func() error) error {
	result := make(chan error, 1)
	select {
	case r.jobs <- func() { result <- f() }:
		return <-result
	case <-r.gone:
		return errors.New("namespace is closed")
	}
}

// socket opens a socket that belongs to the namespace; the caller closes it.
func (r *room) socket(family, kind, protocol int) (fd int, err error) {
	err = r.do(func() error {
		fd, err = unix.Socket(family, kind|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, protocol)
		return err
	})
	return fd, err
}

// close ends the thread. The namespace stays.
func (r *room) close() {
	close(r.quit)
	<-r.gone
}

// removeRoom unbinds the namespace's name; it goes with its last socket.
func removeRoom(name string) error {
	path := filepath.Join(namespaces, roomName(name))
	if err := unix.Unmount(path, unix.MNT_DETACH); err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("unmount %s: %w", path, err)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
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
