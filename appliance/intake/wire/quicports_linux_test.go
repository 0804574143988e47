package wire_test

import (
	"errors"
	"io/fs"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/clearspan/clearspan/appliance/intake"
)

// QUIC is told by its header on every port; IP options and fragments do not hide it.
func TestQUICPorts(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	const port = 8443
	l, err := b.Origin.ListenPacket("udp4", ":8443")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	p := b.start(settings{QUIC: intake.BlockQUIC})
	b.await(true)
	long := func(first byte, version ...byte) []byte {
		return append(append([]byte{first}, version...), make([]byte, 1195)...)
	}
	for _, tt := range []struct {
		name     string
		datagram []byte
		options  bool
		refused  bool // by ICMP
		arrives  bool
	}{
		{"version 1", long(0xc3, 0, 0, 0, 1), false, true, false},
		{"version 2", long(0xd0, 0x6b, 0x33, 0x43, 0xcf), false, true, false},
		{"draft", long(0xc0, 0xff, 0, 0, 29), false, true, false},
		{"IP options", long(0xc3, 0, 0, 0, 1), true, false, false},
		{"in fragments", append(long(0xc3, 0, 0, 0, 1), make([]byte, 2000)...), false, false, false},
		{"short header", long(0x43, 0, 0, 0, 1), false, false, true},
		{"DNS", []byte("\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00"), false, false, true},
		{"others with IP options", []byte("\x12\x34\x01\x00"), true, false, true},
		{"others in fragments", make([]byte, 3200), false, false, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var answer error
			err := b.Client.Do(func() error {
				fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
				if err != nil {
					return err
				}
				defer unix.Close(fd)
				if tt.options {
					if err := unix.SetsockoptString(fd, unix.SOL_IP, unix.IP_OPTIONS, "\x01\x01\x01\x01"); err != nil {
						return err
					}
				}
				if err := unix.Connect(fd, &unix.SockaddrInet4{Port: port, Addr: [4]byte{192, 0, 2, 10}}); err != nil {
					return err
				}
				if _, err := unix.Write(fd, tt.datagram); err != nil {
					return err
				}
				limit := unix.NsecToTimeval(int64(100 * time.Millisecond))
				if tt.refused {
					limit = unix.Timeval{Sec: 2}
				}
				if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &limit); err != nil {
					return err
				}
				_, answer = unix.Read(fd, make([]byte, 10))
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if refused := errors.Is(answer, unix.ECONNREFUSED); refused != tt.refused {
				t.Errorf("answer %v, want a refusal: %v", answer, tt.refused)
			}
			l.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
			n, _, err := l.ReadFrom(make([]byte, 65536))
			if arrived := err == nil && n == len(tt.datagram); arrived != tt.arrives {
				t.Errorf("arrived: %v (%d octets, %v), want %v", arrived, n, err, tt.arrives)
			}
		})
	}
	p.stop()
}

// Both ends of a connection that would have several paths do with one, which is
// taken.
func TestMultipath(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for _, end := range []interface {
		Sysctl(name, value string) error
	}{b.Client, b.Origin} {
		if err := end.Sysctl("net.mptcp.enabled", "1"); errors.Is(err, fs.ErrNotExist) {
			t.Skip("the kernel has no Multipath TCP")
		} else if err != nil {
			t.Fatal(err)
		}
	}
	const protocol = 262 // IPPROTO_MPTCP
	open := func(do func(fd int) error) func() error {
		return func() error {
			fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, protocol)
			if err != nil {
				return err
			}
			defer unix.Close(fd)
			return do(fd)
		}
	}
	if err := b.Origin.Do(open(func(fd int) error {
		if err := unix.Bind(fd, &unix.SockaddrInet4{Port: 443}); err != nil {
			return err
		}
		return unix.Listen(fd, 10)
	})); err != nil {
		t.Fatal(err)
	}
	b.echo("tcp", ":443") // Go listens for several paths
	p := b.start(settings{})
	b.await(true)
	err := b.Client.Do(open(func(fd int) error {
		if err := unix.Connect(fd, &unix.SockaddrInet4{Port: 443, Addr: [4]byte{192, 0, 2, 10}}); err != nil {
			return err
		}
		if _, err := unix.Write(fd, []byte("hello\n")); err != nil {
			return err
		}
		limit := unix.Timeval{Sec: 2}
		if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &limit); err != nil {
			return err
		}
		_, err := unix.Read(fd, make([]byte, 10))
		return err
	}))
	if err != nil {
		t.Error(err)
	}
	p.expect(1)
	p.stop()
}

// When the wire says that it takes connections, it does, also after a restart.
func TestTaking(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.echo("tcp", ":443")
	for range 3 {
		p := b.start(settings{Recover: 300 * time.Millisecond})
		select {
		case <-p.taking:
		case <-time.After(10 * time.Second):
			t.Fatal("not taking connections after 10s")
		}
		if got := b.exchange("tcp", echoV4, []byte("hello\n")); got != nil {
			t.Error(got)
		}
		p.expect(1)
		p.stop()
	}
}
