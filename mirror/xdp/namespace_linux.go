package xdp

import (
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"
)

const namespaceFile = "/proc/thread-self/ns/net"

// namespace is a network namespace in which sockets can be opened later, by any
// thread.
type namespace struct {
	fd    int
	inode uint64
}

// currentNamespace returns that of the calling thread. The caller must close it.
func currentNamespace() (*namespace, error) {
	fd, err := unix.Open(namespaceFile, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open network namespace: %w", err)
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("identify network namespace: %w", err)
	}
	return &namespace{fd, st.Ino}, nil
}

// do runs f in the namespace. Only if the calling thread is in another one a
// thread enters it, which needs CAP_SYS_ADMIN; it ends with f.
func (n *namespace) do(f func() error) error {
	runtime.LockOSThread()
	var st unix.Stat_t
	err := unix.Stat(namespaceFile, &st)
	if err == nil && st.Ino == n.inode {
		err = f()
		runtime.UnlockOSThread()
		return err
	}
	runtime.UnlockOSThread()
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		if err := unix.Setns(n.fd, unix.CLONE_NEWNET); err != nil {
			done <- fmt.Errorf("enter network namespace: %w", err)
			return
		}
		done <- f()
	}()
	return <-done
}

func (n *namespace) close() { unix.Close(n.fd) }
