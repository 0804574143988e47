// Package linktest serves the tests of sinks on network interfaces. It makes a veth
// pair in a namespace of its own, a recorder at its far end, and frames to send.
package linktest

import (
	"bytes"
	"encoding/binary"
	"errors"
	"log/slog"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"github.com/clearspan/clearspan/mirror"
)

// Names of the two ends.
const (
	Near = "mirror0"
	Far  = "recorder0"
)

// Enter puts the test into a new, nameless network namespace, which
// the kernel removes when the test's thread ends. It skips the test where
// namespaces are not allowed, unless CI is set.
func Enter(t testing.TB) {
	t.Helper()
	runtime.LockOSThread() // never unlocked: the thread dies with the test's goroutine
	ns, err := netns.New()
	if err != nil {
		if os.Getenv("CI") == "" && errors.Is(err, unix.EPERM) {
			t.Skip("needs CAP_SYS_ADMIN and CAP_NET_ADMIN")
		}
		t.Fatalf("create network namespace: %v", err)
	}
	t.Cleanup(func() { ns.Close() })
}

// AddVeth creates the pair of ends, both up.
func AddVeth(t testing.TB) {
	t.Helper()
	attrs := netlink.NewLinkAttrs()
	attrs.Name = Near
	if err := netlink.LinkAdd(&netlink.Veth{LinkAttrs: attrs, PeerName: Far}); err != nil {
		t.Fatalf("add veth pair: %v", err)
	}
	for _, name := range []string{Far, Near} {
		if err := netlink.LinkSetUp(Named(t, name)); err != nil {
			t.Fatalf("set %s up: %v", name, err)
		}
	}
}

// Named returns an interface that must exist.
func Named(t testing.TB, name string) netlink.Link {
	t.Helper()
	l, err := netlink.LinkByName(name)
	if err != nil {
		t.Fatalf("find %s: %v", name, err)
	}
	return l
}

// LimitRate makes the near end send slowly: rate and burst in octets (a
// second), and at most limit octets queued.
func LimitRate(t testing.TB, rate uint64, limit uint32) {
	t.Helper()
	err := netlink.QdiscReplace(&netlink.Tbf{
		QdiscAttrs: netlink.QdiscAttrs{
			LinkIndex: Named(t, Near).Attrs().Index,
			Handle:    netlink.MakeHandle(1, 0),
			Parent:    netlink.HANDLE_ROOT,
		},
		Rate: rate, Limit: limit, Buffer: netlink.Xmittime(rate, 4096),
	})
	if err != nil {
		t.Fatalf("limit rate of %s: %v", Near, err)
	}
}

// Recorder receives what arrives on the far end from our source address.
type Recorder struct{ fd int }

// NewRecorder listens on the far end until the test ends.
func NewRecorder(t testing.TB) *Recorder {
	t.Helper()
	const all = unix.ETH_P_ALL>>8 | unix.ETH_P_ALL&0xff<<8 // in network order
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, all)
	if err != nil {
		t.Fatalf("open recorder's socket: %v", err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	err = errors.Join(
		unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: all, Ifindex: Named(t, Far).Attrs().Index}),
		unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_AUXDATA, 1),
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 64<<20))
	if err != nil {
		t.Fatalf("bind recorder: %v", err)
	}
	return &Recorder{fd: fd}
}

// Frames receives want frames, then makes sure that no further one comes
// within the given quiet time.
func (r *Recorder) Frames(t testing.TB, want int, quiet time.Duration) [][]byte {
	t.Helper()
	got := r.receive(t, want, quiet)
	if len(got) != want {
		t.Fatalf("%d frames arrived, want %d", len(got), want)
	}
	return got
}

// Some receives frames until none has come for the given time.
func (r *Recorder) Some(t testing.TB, quiet time.Duration) [][]byte {
	t.Helper()
	return r.receive(t, 0, quiet)
}

// receive waits long for the first want frames, and for a quiet time after them.
func (r *Recorder) receive(t testing.TB, want int, quiet time.Duration) (got [][]byte) {
	t.Helper()
	buf, control := make([]byte, 1<<17), make([]byte, 64)
	for {
		timeout := 5 * time.Second
		if len(got) >= want {
			timeout = quiet
		}
		tv := unix.NsecToTimeval(timeout.Nanoseconds())
		if err := unix.SetsockoptTimeval(r.fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &tv); err != nil {
			t.Fatal(err)
		}
		n, controlLen, _, _, err := unix.Recvmsg(r.fd, buf, control, 0)
		if errors.Is(err, unix.EINTR) || errors.Is(err, unix.ENETDOWN) { // its interface went down
			continue
		}
		if err != nil { // quiet
			return got
		}
		if n >= 12 && bytes.Equal(buf[6:12], SourceMAC) {
			got = append(got, withTag(t, bytes.Clone(buf[:n]), control[:controlLen]))
		}
	}
}

// withTag puts the VLAN tag back that the kernel takes off received frames and
// delivers beside them, in struct tpacket_auxdata.
func withTag(t testing.TB, frame, control []byte) []byte {
	t.Helper()
	messages, err := unix.ParseSocketControlMessage(control)
	if err != nil || len(messages) != 1 {
		t.Fatalf("auxiliary data of frame: %d messages, %v", len(messages), err)
	}
	aux := messages[0].Data
	if binary.NativeEndian.Uint32(aux)&unix.TP_STATUS_VLAN_VALID == 0 {
		return frame
	}
	tagged := append(bytes.Clone(frame[:12]), 0x81, 0)
	tagged = binary.BigEndian.AppendUint16(tagged, binary.NativeEndian.Uint16(aux[16:]))
	return append(tagged, frame[12:]...)
}

// SourceMAC is that of every frame that a Recorder takes.
var SourceMAC = net.HardwareAddr{0x06, 0, 0, 0, 0, 1}

// Frame returns a TCP frame from sender number sender, with sequence number
// seq and a payload of the given length.
func Frame(t testing.TB, sender uint16, seq uint32, payload int) mirror.Frame {
	t.Helper()
	ip := &layers.IPv4{Version: 4, TTL: 64, Protocol: layers.IPProtocolTCP,
		SrcIP: net.IP{192, 0, 2, 1}, DstIP: net.IP{192, 0, 2, 2}}
	tcp := &layers.TCP{SrcPort: layers.TCPPort(sender), DstPort: 80, Seq: seq, ACK: true, Window: 65000}
	if err := tcp.SetNetworkLayerForChecksum(ip); err != nil {
		t.Fatal(err)
	}
	data := bytes.Repeat([]byte{byte(seq), byte(sender)}, payload/2+1)[:payload]
	buf := gopacket.NewSerializeBuffer()
	err := gopacket.SerializeLayers(buf, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true},
		&layers.Ethernet{SrcMAC: SourceMAC, DstMAC: net.HardwareAddr{0x06, 0, 0, 0, 0, 2}, EthernetType: layers.EthernetTypeIPv4},
		ip, tcp, gopacket.Payload(data))
	if err != nil {
		t.Fatal(err)
	}
	const cut = 14 + 20 + 20
	octets := buf.Bytes()[:cut+payload] // without the padding that gopacket adds
	return mirror.Frame{Header: octets[:cut:cut], Payload: octets[cut:]}
}

// Frames returns n frames of 14+20+20+payload octets with ascending sequence
// numbers.
func Frames(t testing.TB, sender uint16, n, payload int) []mirror.Frame {
	t.Helper()
	fs := make([]mirror.Frame, n)
	for i := range fs {
		fs[i] = Frame(t, sender, uint32(i), payload)
	}
	return fs
}

// PortAndSeq reads back what Frame wrote.
func PortAndSeq(octets []byte) (sender uint16, seq uint32) {
	return binary.BigEndian.Uint16(octets[34:]), binary.BigEndian.Uint32(octets[38:])
}

// LogLines is a logger's output for a test to read.
type LogLines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Write implements io.Writer.
func (l *LogLines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

// Count returns how often the output contains a string.
func (l *LogLines) Count(substring string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.buf.String(), substring)
}

// Logger returns a logger that writes text to l.
func (l *LogLines) Logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

// Quiet keeps the kernel's own frames off both ends, so that counters count
// those of the test alone.
func Quiet(t testing.TB) {
	t.Helper()
	for _, name := range []string{Near, Far} {
		Must(t, os.WriteFile("/proc/sys/net/ipv6/conf/"+name+"/disable_ipv6", []byte("1"), 0))
		Must(t, netlink.LinkSetARPOff(Named(t, name)))
	}
}

// Must fails the test if there is an error.
func Must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Without takes a capability from the test's thread, which ends with the test.
func Without(t testing.TB, capability uint) {
	t.Helper()
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	Must(t, unix.Capget(&header, &data[0]))
	data[capability/32].Effective &^= 1 << (capability % 32)
	Must(t, unix.Capset(&header, &data[0]))
}
