package netlab

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// Namespace is a network namespace of a lab, bound to a name under /run/netns,
// so that `ip netns` sees it. It lives until its lab is closed. Safe for
// concurrent use.
type Namespace struct {
	name, full string
	inode      uint64          // of the namespace, identifies its processes
	links      *netlink.Handle // sockets that were opened inside
	jobs       chan func()     // runs on the thread that forks; never closed
	quit, gone chan struct{}   // end that thread; it has ended

	mu       sync.RWMutex
	handle   netns.NsHandle
	ending   bool              // no process may start any more
	closed   bool              // handle is gone
	commands map[*Cmd]struct{} // started and not yet ended
}

// Name returns the name that the lab was asked for.
func (n *Namespace) Name() string { return n.name }

// FullName returns the name under /run/netns, unique on this machine.
func (n *Namespace) FullName() string { return n.full }

// newNamespace starts the namespace's thread. It makes the namespace, and from
// then on it runs all forks: a child inherits the namespace of the thread that
// forks it, and its parent-death signal comes when that very thread ends.
func newNamespace(name, full string) (*Namespace, error) {
	n := &Namespace{
		name: name, full: full,
		jobs: make(chan func()), quit: make(chan struct{}), gone: make(chan struct{}),
		commands: make(map[*Cmd]struct{}),
	}
	ready := make(chan error, 1)
	thread(func() {
		defer close(n.gone)
		err := n.create()
		ready <- err
		if err != nil {
			return
		}
		for {
			select {
			case job := <-n.jobs:
				job()
			case <-n.quit:
				return
			}
		}
	})
	if err := <-ready; err != nil {
		return nil, err
	}
	return n, nil
}

// create runs on the namespace's own thread. What it made is gone again if it
// fails.
func (n *Namespace) create() (err error) {
	if err := shareNames(); err != nil {
		return err
	}
	n.handle, err = netns.NewNamed(n.full)
	if errors.Is(err, fs.ErrExist) {
		return err // the name is another's: not ours to remove
	}
	defer func() {
		if err != nil {
			if n.links != nil {
				n.links.Close()
			}
			if n.handle.IsOpen() {
				_ = n.handle.Close()
			}
			_ = removeName(n.full)
		}
	}()
	if err != nil {
		return err
	}
	var st unix.Stat_t
	if err := unix.Fstat(int(n.handle), &st); err != nil {
		return err
	}
	n.inode = st.Ino
	if n.links, err = netlink.NewHandle(unix.NETLINK_ROUTE); err != nil {
		return err
	}
	lo, err := n.links.LinkByName("lo")
	if err != nil {
		return err
	}
	if err := n.links.LinkSetUp(lo); err != nil {
		return err
	}
	for _, scope := range []string{"all", "default"} {
		for _, key := range []string{"accept_dad", "accept_ra"} {
			if err := writeSysctl("net/ipv6/conf/"+scope+"/"+key, "0"); err != nil {
				return err
			}
		}
	}
	return nil
}

// remove takes away links, name and thread. The caller has ended the processes.
func (n *Namespace) remove() error {
	n.mu.Lock()
	if n.closed {
		n.mu.Unlock()
		return nil
	}
	n.ending, n.closed = true, true
	handle := n.handle
	n.handle = netns.None()
	n.mu.Unlock()

	errs := []error{n.deleteLinks()}
	n.links.Close()
	close(n.quit)
	<-n.gone
	errs = append(errs, handle.Close(), removeName(n.full))
	return errors.Join(errs...)
}

// shareNames does to the directory of names what ip-netns(8) does before it makes
// its first one. A lab that had made names before that could not remove them: the
// command mounts the directory over itself, and the mounts below stay, hidden.
func shareNames() error {
	if err := os.MkdirAll(namesDir, 0o755); err != nil {
		return err
	}
	dir, err := os.Open(namesDir)
	if err != nil {
		return err
	}
	defer dir.Close()
	err = unix.Flock(int(dir.Fd()), unix.LOCK_EX)
	for range 2 {
		if err == nil {
			err = unix.Mount("", namesDir, "none", unix.MS_SHARED|unix.MS_REC, "")
		}
		if !errors.Is(err, unix.EINVAL) { // it is a mount
			break
		}
		err = unix.Mount(namesDir, namesDir, "none", unix.MS_BIND|unix.MS_REC, "")
	}
	if err != nil {
		return fmt.Errorf("share %s: %w", namesDir, err)
	}
	return nil
}

// removeName unbinds a name under /run/netns. A name that is gone is no error.
func removeName(full string) error {
	path := filepath.Join(namesDir, full)
	if err := unix.Unmount(path, unix.MNT_DETACH); err != nil &&
		!errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("unmount %s: %w", path, err)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

var errUnfinished = errors.New("function ended its goroutine before it returned")

// Do runs f in the namespace and returns its error. Sockets that f opens and
// files under /proc/thread-self/net and /proc/sys/net belong to the namespace;
// those of goroutines that f starts do not, nor does /proc/net. f may take as
// long as it likes; each call has a thread of its own, which ends with it.
func (n *Namespace) Do(f func() error) error {
	result := make(chan error, 1)
	thread(func() {
		err := errUnfinished
		defer func() { result <- err }()
		if err = n.enter(); err != nil {
			return
		}
		err = errUnfinished
		err = f()
	})
	return <-result
}

// enter moves the calling thread into the namespace, for good.
func (n *Namespace) enter() error {
	n.mu.RLock()
	defer n.mu.RUnlock()
	if n.closed {
		return ErrClosed
	}
	if err := netns.Set(n.handle); err != nil {
		return fmt.Errorf("enter namespace %s: %w", n.full, err)
	}
	return nil
}

// thread runs f in a goroutine with an operating system thread of its own. The
// thread is never given back: it ends with the goroutine, and so does whatever
// namespace it was in. It is never the main thread, which the runtime would
// keep, and with it the namespace.
func thread(f func()) {
	go func() {
		runtime.LockOSThread()
		if unix.Gettid() != unix.Getpid() {
			f()
			return
		}
		started := make(chan struct{})
		go func() {
			runtime.LockOSThread() // another one: the main thread is taken
			close(started)
			f()
		}()
		<-started
		runtime.UnlockOSThread()
	}()
}

// Sysctl sets a kernel parameter of the namespace, such as
// "net.ipv4.ip_forward". Where the name of an interface contains a dot, slashes
// must part the key.
func (n *Namespace) Sysctl(key, value string) error {
	if !strings.Contains(key, "/") {
		key = strings.ReplaceAll(key, ".", "/")
	}
	return n.Do(func() error { return writeSysctl(key, value) })
}

func writeSysctl(key, value string) error {
	// The kernel resolves /proc/sys/net by the namespace of the opening thread.
	f, err := os.OpenFile("/proc/sys/"+key, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(value)
	return errors.Join(err, f.Close())
}

// Forward makes the namespace a router for IPv4 and IPv6.
func (n *Namespace) Forward() error {
	return n.Do(func() error {
		return errors.Join(
			writeSysctl("net/ipv4/ip_forward", "1"),
			writeSysctl("net/ipv6/conf/all/forwarding", "1"))
	})
}

// pollEvery is the pace at which the package looks at what the kernel does not
// announce.
const pollEvery = 10 * time.Millisecond
