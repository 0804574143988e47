package vxlan

import (
	"bytes"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/clearspan/clearspan/hack/tempo"
	"github.com/clearspan/clearspan/mirror"
)

func TestMain(m *testing.M) {
	tempo.Parallel(4)
	goleak.VerifyTestMain(m)
}

func TestOpenRejectsConfig(t *testing.T) {
	remote := netip.MustParseAddrPort("127.0.0.1:4789")
	for _, tt := range []struct {
		name string
		cfg  Config
	}{
		{"no remote", Config{}},
		{"unspecified remote", Config{Remote: netip.MustParseAddrPort("0.0.0.0:4789")}},
		{"multicast remote", Config{Remote: netip.MustParseAddrPort("239.0.0.1:4789")}},
		{"families differ", Config{Remote: remote, Source: netip.IPv6Loopback()}},
		{"source of another machine", Config{Remote: remote, Source: netip.MustParseAddr("192.0.2.99")}},
		{"VNI of 25 bits", Config{Remote: remote, VNI: 1 << 24}},
		{"small MTU", Config{Remote: remote, MTU: 67}},
		{"unknown policy", Config{Remote: remote, Full: "wait"}},
		{"negative buffer", Config{Remote: remote, SendBuffer: -1}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if s, err := Open(tt.cfg); err == nil {
				s.Close()
				t.Error("Open succeeded")
			}
		})
	}
}

// open opens a sink that is closed with the test.
func open(t testing.TB, cfg Config) *Sink {
	t.Helper()
	s, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// receiver listens on loopback.
func receiver(t testing.TB) (*net.UDPConn, netip.AddrPort) {
	t.Helper()
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn, conn.LocalAddr().(*net.UDPAddr).AddrPort()
}

// frame returns one that belongs to no connection.
func frame(payload string) mirror.Frame {
	return mirror.Frame{Header: []byte("\x0a\x00\x00\x00\x00\x01\x0a\x00\x00\x00\x00\x02\x88\xb5"), Payload: []byte(payload)}
}

// TestDatagram: the octets on the outside (RFC 7348, Section 5).
func TestDatagram(t *testing.T) {
	conn, remote := receiver(t)
	s := open(t, Config{Remote: remote, VNI: 0x123456, Source: netip.MustParseAddr("127.0.0.2")})
	if n, err := s.Send([]mirror.Frame{frame("hello"), frame("")}); n != 2 || err != nil {
		t.Fatalf("Send = %d, %v", n, err)
	}
	for _, payload := range []string{"hello", ""} {
		got := make([]byte, 100)
		conn.SetReadDeadline(time.Now().Add(5 * time.Second))
		n, from, err := conn.ReadFromUDPAddrPort(got)
		f := frame(payload)
		want := append([]byte{0x08, 0, 0, 0, 0x12, 0x34, 0x56, 0}, append(bytes.Clone(f.Header), f.Payload...)...)
		if err != nil || !bytes.Equal(got[:n], want) {
			t.Errorf("received %x, %v, want %x", got[:n], err, want)
		}
		if from.Addr().String() != "127.0.0.2" || from.Port() < firstPort {
			t.Errorf("from %v", from)
		}
	}
}

func TestMTU(t *testing.T) {
	_, remote := receiver(t)
	for _, tt := range []struct {
		name            string
		configured, mtu int
	}{
		{"what the path takes", 0, 65535 - outerIPv4 - frameOverhead}, // loopback has 65536
		{"less", 1400, 1400},
		{"more than the path takes", 65535, 65535 - outerIPv4 - frameOverhead},
	} {
		s := open(t, Config{Remote: remote, MTU: tt.configured})
		if got := s.MTU(); got != tt.mtu || s.Idle() {
			t.Errorf("%s: MTU %d, want %d; idle %t", tt.name, got, tt.mtu, s.Idle())
		}
		longest, over := frame(string(make([]byte, tt.mtu+4))), frame(string(make([]byte, tt.mtu+5)))
		if n, err := s.Send([]mirror.Frame{longest}); n != 1 || err != nil {
			t.Errorf("%s: longest frame: %d, %v", tt.name, n, err)
		}
		if n, err := s.Send([]mirror.Frame{frame(""), over, frame("")}); n != 1 || !errors.Is(err, mirror.ErrTooLong) {
			t.Errorf("%s: too long a frame: %d, %v", tt.name, n, err)
		}
		if st := s.Stats(); st.Frames != 2 || st.Lost["too-long"] != 2 {
			t.Errorf("%s: %+v", tt.name, st)
		}
	}
}

func TestSendAllocatesNothing(t *testing.T) {
	_, remote := receiver(t)
	s := open(t, Config{Remote: remote})
	frames := make([]mirror.Frame, 64)
	for i := range frames {
		frames[i] = frame("some octets")
		frames[i].Header[5] = byte(i) // of many source ports
	}
	if n := testing.AllocsPerRun(200, func() { s.Send(frames) }); n > 0.5 && !raceEnabled {
		t.Errorf("%v allocations", n)
	}
}

func TestClose(t *testing.T) {
	_, remote := receiver(t)
	s := open(t, Config{Remote: remote, Logger: slog.New(slog.DiscardHandler)})
	stop := make(chan struct{})
	sending := make(chan error, 4)
	for range cap(sending) {
		go func() {
			for {
				select {
				case <-stop:
					sending <- nil
					return
				default:
				}
				if _, err := s.Send([]mirror.Frame{frame("x"), frame("y")}); errors.Is(err, mirror.ErrClosed) {
					sending <- err
					return
				}
			}
		}()
	}
	tempo.Until(t, "frames are on their way", func() bool { return s.Stats().Frames > 100 })
	s.Close()
	s.Close()
	for range cap(sending) {
		select {
		case err := <-sending:
			if !errors.Is(err, mirror.ErrClosed) {
				t.Errorf("Send ended with %v", err)
			}
		case <-time.After(5 * time.Second):
			close(stop)
			t.Fatal("Send goes on after Close")
		}
	}
	if s.Stats().Up {
		t.Error("up after Close")
	}
}
