// Package room keeps network interfaces in network namespaces of their own. A
// thread of this process works there: it makes sockets and changes links and
// routes. The holder of a room needs no privilege to enter it again.
//
// A room, and the interfaces in it, outlive the process under the room's name in
// /run/netns. [Find] leads a later process to it.
package room

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

// Room is a network namespace with a thread inside. Safe for concurrent use.
type Room struct {
	Links *netlink.Handle // works in the room, from any thread; valid until Close

	path string
	self *os.File // the namespace
	jobs chan func()
	quit chan struct{} // closed by Close
	gone chan struct{} // closed by the thread
}

// Make makes a room. It returns fs.ErrExist if there is one of that name.
func Make(name string) (*Room, error) { return open(name, true) }

// Find enters a room that exists. It returns fs.ErrNotExist if there is none of
// that name.
func Find(name string) (*Room, error) { return open(name, false) }

func open(name string, create bool) (*Room, error) {
	r := &Room{
		path: filepath.Join(namespaces, name),
		jobs: make(chan func()), quit: make(chan struct{}), gone: make(chan struct{}),
	}
	ready := make(chan error, 1)
	go r.run(create, ready)
	if err := <-ready; err != nil {
		return nil, fmt.Errorf("enter namespace %s: %w", name, err)
	}
	return r, nil
}

// run is the thread. It is never given back to the scheduler, so that it ends
// with the goroutine, namespaces and all.
func (r *Room) run(create bool, ready chan<- error) {
	runtime.LockOSThread()
	if unix.Gettid() == unix.Getpid() { // the main thread would stay for ever
		started := make(chan struct{})
		go func() {
			close(started)
			r.run(create, ready)
		}()
		<-started
		runtime.UnlockOSThread()
		return
	}
	defer close(r.gone)
	if err := r.enter(create); err != nil {
		ready <- err
		return
	}
	defer r.Links.Close()
	defer r.self.Close()
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

func (r *Room) enter(create bool) (err error) {
	if create {
		err = r.create()
	} else {
		err = r.find()
	}
	if err != nil {
		return err
	}
	defer func() {
		if err != nil && create {
			err = errors.Join(err, r.unbind())
		}
	}()
	if err := r.leaveMounts(); err != nil {
		return err
	}
	if r.self, err = os.Open("/proc/thread-self/ns/net"); err != nil {
		return err
	}
	if r.Links, err = netlink.NewHandle(unix.NETLINK_ROUTE); err != nil {
		r.self.Close()
	}
	return err
}

// create makes the namespace and binds its name.
func (r *Room) create() error {
	if err := shareNames(); err != nil {
		return err
	}
	f, err := os.OpenFile(r.path, os.O_CREATE|os.O_EXCL|os.O_RDONLY, 0o444)
	if err != nil {
		return err
	}
	f.Close()
	if err = unix.Unshare(unix.CLONE_NEWNET); err == nil {
		err = unix.Mount("/proc/thread-self/ns/net", r.path, "", unix.MS_BIND, "")
	}
	if err != nil {
		return errors.Join(err, os.Remove(r.path))
	}
	return nil
}

func (r *Room) find() error {
	handle, err := netns.GetFromPath(r.path)
	if err != nil {
		return err
	}
	defer handle.Close()
	err = netns.Set(handle)
	if errors.Is(err, unix.EINVAL) { // a name that lost its mount: after a crash within create
		return errors.Join(&fs.PathError{Op: "enter", Path: r.path, Err: fs.ErrNotExist}, os.Remove(r.path))
	}
	return err
}

// leaveMounts gives the thread a mount namespace in which the name is not
// mounted. There it can be removed without CAP_SYS_ADMIN: the removal of a file
// undoes the mounts on it everywhere else.
func (r *Room) leaveMounts() error {
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("leave mount namespace: %w", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SLAVE, ""); err != nil {
		return fmt.Errorf("part mounts: %w", err)
	}
	for range 16 { // names may be mounted more than once, where /run/netns is shared
		if err := unix.Unmount(r.path, unix.MNT_DETACH); err != nil {
			break
		}
	}
	return nil
}

// Do runs f in the namespace and returns its error. f must not block for long,
// nor call Do.
func (r *Room) Do(f func() error) error {
	result := make(chan error, 1)
	select {
	case r.jobs <- func() { result <- f() }:
		return <-result
	case <-r.gone:
		return errClosed
	}
}

var errClosed = errors.New("room is closed")

// Socket opens a non-blocking socket that belongs to the room; the caller closes
// it.
func (r *Room) Socket(family, kind, protocol int) (fd int, err error) {
	err = r.Do(func() error {
		fd, err = unix.Socket(family, kind|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, protocol)
		return err
	})
	return fd, err
}

// Set writes a setting of the namespace, named by its path below /proc/sys/net.
func (r *Room) Set(name, value string) error {
	return r.Do(func() error {
		// Resolved by the namespace of the thread that opens it.
		f, err := os.OpenFile(filepath.Join("/proc/sys/net", name), os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		_, err = f.WriteString(value)
		return errors.Join(err, f.Close())
	})
}

// Close ends the thread. The namespace stays.
func (r *Room) Close() {
	close(r.quit)
	<-r.gone
}

// Remove takes the room's name away, and closes it. The namespace goes with its
// last socket, and virtual interfaces in it.
func (r *Room) Remove() error {
	err := r.Do(r.unbind)
	r.Close()
	return err
}

// unbind runs on the thread.
func (r *Room) unbind() error {
	if err := os.Remove(r.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
