package netspace

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/clearspan/clearspan/hack/netlab"
)

// unique names a namespace of this process.
func unique(word string) string { return fmt.Sprintf("cstestnetns-%d-%s", os.Getpid(), word) }

func TestNamespace(t *testing.T) {
	netlab.ForTest(t) // for what it asks of the environment
	name := unique("a")
	n, err := Make(name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Make(name); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a second one of the name: %v", err)
	}
	if _, err := Find(unique("b")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("one that is not: %v", err)
	}
	own, _ := os.Readlink("/proc/self/ns/net")
	inside := func(n *Namespace) (where string) {
		n.Do(func() (err error) {
			where, err = os.Readlink("/proc/thread-self/ns/net")
			return err
		})
		return where
	}
	first := inside(n)
	if first == own || first == "" {
		t.Errorf("the namespace is %q, the process in %q", first, own)
	}
	links, err := n.Links.LinkList()
	if err != nil || len(links) != 1 {
		t.Errorf("interfaces of a new namespace: %v, %v", links, err)
	}
	if err := n.Set("ipv4/ip_forward", "1"); err != nil {
		t.Error(err)
	}
	fd, err := n.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Error(err)
	}
	unix.Close(fd)
	n.Close()
	if err := n.Do(func() error { return nil }); err == nil {
		t.Error("a closed namespace did something")
	}

	if n, err = Find(name); err != nil {
		t.Fatal(err)
	}
	if again := inside(n); again != first {
		t.Errorf("found %q, made %q", again, first)
	}
	if err := n.Remove(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(netnsDir, name)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the name is still there: %v", err)
	}
	if _, err := Find(name); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("found after its removal: %v", err)
	}
}

// TestHalfMade: a name without a namespace, as a crash may leave it, is none.
func TestHalfMade(t *testing.T) {
	netlab.ForTest(t)
	name := unique("half")
	if err := os.WriteFile(filepath.Join(netnsDir, name), nil, 0o444); err != nil {
		t.Fatal(err)
	}
	if _, err := Find(name); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("found: %v", err)
	}
	n, err := Make(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Remove(); err != nil {
		t.Error(err)
	}
}

func TestPort(t *testing.T) {
	lab := netlab.ForTest(t)
	box, err := lab.Namespace("box")
	if err != nil {
		t.Fatal(err)
	}
	far, err := lab.Namespace("far")
	if err != nil {
		t.Fatal(err)
	}
	if err := lab.Link(netlab.End{Namespace: box, Name: "port0"}, netlab.End{Namespace: far, Name: "far0"}, netlab.LinkOptions{}); err != nil {
		t.Fatal(err)
	}
	host, err := HostNamed(box.FullName())
	if err != nil {
		t.Fatal(err)
	}
	defer host.Close()
	if _, err := host.Inspect("lo"); err == nil {
		t.Error("lo is a port")
	}
	p, err := host.Inspect("port0")
	if err != nil || !p.Up {
		t.Fatalf("port is %+v, %v", p, err)
	}
	n, err := Make(unique("port"))
	if err != nil {
		t.Fatal(err)
	}
	if err := host.Return(p, n); err != nil {
		t.Errorf("return of a port that never left: %v", err)
	}
	if err := host.Move(p, n); err != nil {
		t.Fatal(err)
	}
	if _, err := n.Links.LinkByName("port0"); err != nil {
		t.Errorf("port is not in the namespace: %v", err)
	}
	if _, err := host.Inspect("port0"); !errors.As(err, new(netlink.LinkNotFoundError)) {
		t.Errorf("port is still in the host: %v", err)
	}
	if err := host.Return(p, n); err != nil {
		t.Error(err)
	}
	if again, err := host.Inspect("port0"); again != p || err != nil {
		t.Errorf("port came back as %+v, %v, was %+v", again, err, p)
	}
	if err := n.Remove(); err != nil {
		t.Error(err)
	}
}
