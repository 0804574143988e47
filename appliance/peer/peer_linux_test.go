package peer

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/clearspan/clearspan/hack/needs"
)

// dialEnv names an address that this test binary connects to, in place of tests.
const dialEnv = "PEER_TEST_DIAL"

func TestMain(m *testing.M) {
	if to := os.Getenv(dialEnv); to != "" {
		if _, err := net.Dial("tcp", to); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// listen returns a listener that ends with the test.
func listen(t *testing.T, address string) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if errors.Is(err, unix.EADDRNOTAVAIL) || errors.Is(err, unix.EAFNOSUPPORT) {
		needs.Missing(t, err) // no IPv6
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// accept returns the other end of a connection to l.
func accept(t *testing.T, l net.Listener) net.Conn {
	t.Helper()
	l.(*net.TCPListener).SetDeadline(time.Now().Add(10 * time.Second))
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func TestOwner(t *testing.T) {
	for _, row := range []struct{ name, listen, dial string }{
		{"IPv4", "127.0.0.1:0", ""},
		{"IPv6", "[::1]:0", ""},
		{"IPv4 of a listener for both", "[::]:0", "127.0.0.1"},
		{"another loopback address", "127.8.8.8:0", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			l := listen(t, row.listen)
			to := l.Addr().String()
			if row.dial != "" {
				_, port, _ := net.SplitHostPort(to)
				to = net.JoinHostPort(row.dial, port)
			}
			c, err := net.Dial("tcp", to)
			if err != nil {
				t.Fatal(err)
			}
			conn := accept(t, l)
			if uid, found, err := Owner(conn.RemoteAddr(), conn.LocalAddr()); err != nil || !found || int(uid) != os.Geteuid() {
				t.Errorf("user %d, found %v, error %v", uid, found, err)
			}
			c.Close() // it lingers in the kernel, and is nobody's
			if uid, found, err := Owner(conn.RemoteAddr(), conn.LocalAddr()); err != nil || found {
				t.Errorf("closed: user %d, found %v, error %v", uid, found, err)
			}
			if err := (List{}).Permit(conn); !errors.Is(err, errClosed) {
				t.Errorf("closed: error %v", err)
			}
		})
	}
}

// The port of the other end may be one that somebody listens on.
func TestOwnerIsNoListener(t *testing.T) {
	l, other := listen(t, "127.0.0.1:0"), listen(t, "127.0.0.1:0")
	if _, found, err := Owner(other.Addr(), l.Addr()); found || err != nil {
		t.Errorf("found %v, error %v", found, err)
	}
}

// A user of this machine is served if the list names it, or is root or our own.
func TestPermitUsers(t *testing.T) {
	if os.Geteuid() != 0 {
		needs.Missing(t, "needs root to be another user")
	}
	nobody, err := user.Lookup("nobody")
	if err != nil {
		t.Fatal(err)
	}
	uid, _ := strconv.Atoi(nobody.Uid)
	gid, _ := strconv.Atoi(nobody.Gid)
	group, err := user.LookupGroupId(nobody.Gid)
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile(self) // where others may run it
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("/tmp", "peer")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := errors.Join(os.Chmod(dir, 0o755), os.WriteFile(dir+"/dial", program, 0o755)); err != nil {
		t.Fatal(err)
	}
	l := listen(t, "127.0.0.1:0")
	cmd := exec.Command(dir + "/dial")
	cmd.Env = append(os.Environ(), dialEnv+"="+l.Addr().String())
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stdin.Close(); cmd.Wait() })
	conn := accept(t, l)
	everywhere := []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")}
	for _, row := range []struct {
		name   string
		list   List
		served bool
	}{
		{"nobody is listed", List{}, false},
		{"a network is no user", List{From: everywhere}, false},
		{"user", List{Users: []string{"nobody"}}, true},
		{"user by number", List{Users: []string{nobody.Uid}}, true},
		{"group", List{Users: []string{"daemon", "@" + group.Name}}, true},
		{"group by number", List{Users: []string{"@" + nobody.Gid}}, true},
		{"others", List{Users: []string{"daemon", "@daemon", group.Name + "x"}}, false},
	} {
		err := row.list.Permit(conn)
		if (err == nil) != row.served || err != nil && !strings.Contains(err.Error(), "nobody") {
			t.Errorf("%s: %v", row.name, err)
		}
	}
}

// remote is a connection whose other end is elsewhere.
type remote struct {
	net.Conn
	from string
}

func (r remote) RemoteAddr() net.Addr {
	return net.TCPAddrFromAddrPort(netip.MustParseAddrPort(r.from))
}
func (r remote) LocalAddr() net.Addr {
	return net.TCPAddrFromAddrPort(netip.MustParseAddrPort("192.0.2.200:57012"))
}

func TestPermitNetworks(t *testing.T) {
	some := List{From: []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")}}
	for _, row := range []struct {
		from   string
		list   List
		served bool
	}{
		{"10.1.2.3:5", List{}, true},
		{"169.254.3.4:5", List{}, true},
		{"203.0.113.9:5", List{}, false},
		{"198.51.100.3:5", some, true},
		{"[::ffff:198.51.100.3]:5", some, true},
		{"10.1.2.3:5", some, false},
		{"127.0.0.1:5", some, false},
	} {
		if err := row.list.Permit(remote{from: row.from}); (err == nil) != row.served {
			t.Errorf("%s, %v: %v", row.from, row.list.From, err)
		}
	}
}

func BenchmarkOwner(b *testing.B) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	for b.Loop() {
		if _, found, err := Owner(c.LocalAddr(), c.RemoteAddr()); !found || err != nil {
			b.Fatal(found, err)
		}
	}
}
