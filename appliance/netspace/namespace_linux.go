// Package netspace keeps network interfaces in network namespaces of their own. A
// thread of this process works there: it makes sockets and changes links and
// routes. The holder of a namespace needs no privilege to enter it again.
//
// A namespace, and the interfaces in it, outlive the process under the namespace's name in
// /run/netns. [Find] leads a later process to it.
package netspace

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

const netnsDir = "/run/netns"

// Namespace is a network namespace with a thread inside. Safe for concurrent use.
type Namespace struct {
	Links *netlink.Handle // works in the namespace, from any thread; valid until Close

	path string
	file *os.File // the namespace
	jobs chan func()
	quit chan struct{} // closed by Close
	done chan struct{} // closed by the thread
}

// Make makes a namespace. It returns fs.ErrExist if there is one of that name.
func Make(name string) (*Namespace, error) { return open(name, true) }

// Find enters a namespace that exists. It returns fs.ErrNotExist if there is none of
// that name.
func Find(name string) (*Namespace, error) { return open(name, false) }

func open(name string, create bool) (*Namespace, error) {
	n := &Namespace{
		path: filepath.Join(netnsDir, name),
		jobs: make(chan func()), quit: make(chan struct{}), done: make(chan struct{}),
	}
	ready := make(chan error, 1)
	go n.run(create, ready)
	if err := <-ready; err != nil {
		return nil, fmt.Errorf("enter namespace %s: %w", name, err)
	}
	return n, nil
}

// run is the thread. It is never given back to the scheduler, so that it ends
// with the goroutine, namespaces and all.
func (n *Namespace) run(create bool, ready chan<- error) {
	runtime.LockOSThread()
	if unix.Gettid() == unix.Getpid() { // the main thread would stay for ever
		started := make(chan struct{})
		go func() {
			close(started)
			n.run(create, ready)
		}()
		<-started
		runtime.UnlockOSThread()
		return
	}
	defer close(n.done)
	if err := n.enter(create); err != nil {
		ready <- err
		return
	}
	defer n.Links.Close()
	defer n.file.Close()
	ready <- nil
	for {
		select {
		case job := <-n.jobs:
			job()
		case <-n.quit:
			return
		}
	}
}

func (n *Namespace) enter(create bool) (err error) {
	if create {
		err = n.create()
	} else {
		err = n.find()
	}
	if err != nil {
		return err
	}
	defer func() {
		if err != nil && create {
			err = errors.Join(err, n.unbind())
		}
	}()
	if err := n.leaveMounts(); err != nil {
		return err
	}
	if n.file, err = os.Open("/proc/thread-self/ns/net"); err != nil {
		return err
	}
	if n.Links, err = netlink.NewHandle(unix.NETLINK_ROUTE); err != nil {
		n.file.Close()
	}
	return err
}

// create makes the namespace and binds its name.
func (n *Namespace) create() error {
	if err := shareDir(); err != nil {
		return err
	}
	f, err := os.OpenFile(n.path, os.O_CREATE|os.O_EXCL|os.O_RDONLY, 0o444)
	if err != nil {
		return err
	}
	f.Close()
	if err = unix.Unshare(unix.CLONE_NEWNET); err == nil {
		err = unix.Mount("/proc/thread-self/ns/net", n.path, "", unix.MS_BIND, "")
	}
	if err != nil {
		return errors.Join(err, os.Remove(n.path))
	}
	return nil
}

func (n *Namespace) find() error {
	handle, err := netns.GetFromPath(n.path)
	if err != nil {
		return err
	}
	defer handle.Close()
	err = netns.Set(handle)
	if errors.Is(err, unix.EINVAL) { // a name that lost its mount: after a crash within create
		return errors.Join(&fs.PathError{Op: "enter", Path: n.path, Err: fs.ErrNotExist}, os.Remove(n.path))
	}
	return err
}

// leaveMounts gives the thread a mount namespace in which the name is not
// mounted. There it can be removed without CAP_SYS_ADMIN: the removal of a file
// undoes the mounts on it everywhere else.
func (n *Namespace) leaveMounts() error {
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("leave mount namespace: %w", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SLAVE, ""); err != nil {
		return fmt.Errorf("part mounts: %w", err)
	}
	for range 16 { // names may be mounted more than once, where /run/netns is shared
		if err := unix.Unmount(n.path, unix.MNT_DETACH); err != nil {
			break
		}
	}
	return nil
}

// Do runs f in the namespace and returns its error. f must not block for long,
// nor call Do.
func (n *Namespace) Do(f func() error) error {
	result := make(chan error, 1)
	select {
	case n.jobs <- func() { result <- f() }:
		return <-result
	case <-n.done:
		return errClosed
	}
}

var errClosed = errors.New("namespace is closed")

// Socket opens a non-blocking socket that belongs to the namespace; the caller closes
// it.
func (n *Namespace) Socket(family, kind, protocol int) (fd int, err error) {
	err = n.Do(func() error {
		fd, err = unix.Socket(family, kind|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, protocol)
		return err
	})
	return fd, err
}

// Set writes a setting of the namespace, named by its path below /proc/sys/net.
func (n *Namespace) Set(name, value string) error {
	return n.Do(func() error {
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
func (n *Namespace) Close() {
	close(n.quit)
	<-n.done
}

// Remove takes the namespace's name away, and closes it. The namespace goes with its
// last socket, and virtual interfaces in it.
func (n *Namespace) Remove() error {
	err := n.Do(n.unbind)
	n.Close()
	return err
}

// unbind runs on the thread.
func (n *Namespace) unbind() error {
	if err := os.Remove(n.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
