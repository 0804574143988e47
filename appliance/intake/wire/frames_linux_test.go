package wire_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/clearspan/clearspan/appliance/intake"
	"github.com/clearspan/clearspan/decrypt/policy"
	"github.com/clearspan/clearspan/hack/lab"
	"github.com/clearspan/clearspan/hack/netlab"
	"github.com/clearspan/clearspan/hack/tempo"
)

// tap is a packet socket on eth0 of an end.
type tap struct{ fd, index int }

func openTap(t *testing.T, ns *netlab.Namespace) *tap {
	t.Helper()
	link, err := ns.Interface("eth0")
	if err != nil {
		t.Fatal(err)
	}
	p := &tap{index: link.Index}
	err = ns.Do(func() error {
		p.fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		if err := unix.SetsockoptInt(p.fd, unix.SOL_PACKET, unix.PACKET_AUXDATA, 1); err != nil {
			return err
		}
		return unix.Bind(p.fd, &unix.SockaddrLinklayer{Protocol: binary.NativeEndian.Uint16([]byte{0, 3}), Ifindex: p.index})
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(p.fd) })
	return p
}

func (p *tap) send(frame []byte) error {
	return unix.Sendto(p.fd, frame, 0, &unix.SockaddrLinklayer{Ifindex: p.index})
}

// receive returns the next frame that another host sent, nil after a while. A
// tag that the kernel took off is put back.
func (p *tap) receive(wait time.Duration) []byte {
	buf, oob := make([]byte, 65536), make([]byte, 256)
	for deadline := time.Now().Add(wait); ; {
		left := time.Until(deadline)
		if left <= 0 {
			return nil
		}
		poll := []unix.PollFd{{Fd: int32(p.fd), Events: unix.POLLIN}}
		if n, _ := unix.Poll(poll, int(left.Milliseconds())+1); n <= 0 { // nothing, or a signal came
			continue
		}
		n, on, _, from, err := unix.Recvmsg(p.fd, buf, oob, unix.MSG_DONTWAIT)
		if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return nil
		}
		if a, ok := from.(*unix.SockaddrLinklayer); ok && a.Pkttype == unix.PACKET_OUTGOING {
			continue
		}
		frame := append([]byte(nil), buf[:n]...)
		messages, _ := unix.ParseSocketControlMessage(oob[:on])
		for _, m := range messages {
			// struct tpacket_auxdata: status, len, snaplen, mac, net, tci, tpid
			if m.Header.Type == unix.PACKET_AUXDATA && binary.NativeEndian.Uint32(m.Data)&unix.TP_STATUS_VLAN_VALID != 0 {
				tag := binary.BigEndian.AppendUint16(nil, binary.NativeEndian.Uint16(m.Data[18:]))
				tag = binary.BigEndian.AppendUint16(tag, binary.NativeEndian.Uint16(m.Data[16:]))
				frame = append(append(append([]byte(nil), frame[:12]...), tag...), frame[12:]...)
			}
		}
		return frame
	}
}

// octets builds frames from hexadecimal parts, blanks between them.
func octets(t *testing.T, parts ...string) []byte {
	t.Helper()
	var all []byte
	for _, p := range parts {
		b, err := hex.DecodeString(p)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, b...)
	}
	return all
}

func repeat(b byte, n int) string { return hex.EncodeToString(bytes.Repeat([]byte{b}, n)) }

// Headers of the test's frames, in hexadecimal.
const (
	there = "0a005e000014" + "0a005e000011" // client to origin
	group = "0180c200000e" + "0a005e000011"
	ipv4  = "c0000202" + "c000020a"
	ipv6  = "20010db8000200000000000000000002" + "20010db8000200000000000000000010"
)

// odd are frames that no intake takes, as they leave one end, and their paths. Those
// behind a path that ends in "-dropped" pass if the wire is open.
var odd = []struct {
	name  string
	parts []string
	path  string
}{
	{"ARP", []string{"ffffffffffff0a005e000011", "0806", "00010800060400010a005e000011c0000202000000000000c00002c8"}, "not-ip"},
	{"ARP padded", []string{"ffffffffffff0a005e000011", "0806", "00010800060400010a005e000011c0000202000000000000c00002c8", repeat(0xee, 18)}, "not-ip"},
	{"LLDP", []string{group, "88cc", "0207040a005e00001104070300000000000606020078", "0000"}, "not-ip"},
	{"STP", []string{"0180c2000000" + "0a005e000011", "0026", "424203", "0000000000", repeat(0, 30)}, "not-ip"},
	{"unknown type", []string{there, "88b5", repeat(0xab, 60)}, "not-ip"},
	{"neighbour solicitation", []string{"3333ff000010" + "0a005e000011", "86dd", "60000000", "0020", "3a", "ff",
		"20010db8000200000000000000000002", "ff0200000000000000000001ff000010", "8700", "0000", "00000000", "20010db8000200000000000000000010", "01010a005e000011"}, "not-tcp"},
	{"UDP", []string{there, "0800", "45000024", "00010000", "4011", "0000", ipv4, "d43101bb", "0010", "0000", repeat(1, 8)}, "not-tcp"},
	{"ICMP", []string{there, "0800", "4500001c", "00010000", "4001", "0000", ipv4, "0800f7ff00000000"}, "not-tcp"},
	{"IPv4 first fragment", []string{there, "0800", "45000028", "00012000", "4006", "0000", ipv4, "c35001bb", repeat(0, 16)}, "fragment-dropped"},
	{"IPv4 last fragment", []string{there, "0800", "4500001c", "00010040", "4006", "0000", ipv4, repeat(2, 8)}, "fragment"},
	{"IPv4 options", []string{there, "0800", "4600002c", "00010000", "4006", "0000", ipv4, "94040000", "c35001bb00000001000000005002ffff00000000"}, "extension-dropped"},
	{"IPv6 hop-by-hop", []string{there, "86dd", "60000000", "001c", "00", "40", ipv6, "0600010400000000", "c35001bb00000001000000005002ffff00000000"}, "extension-dropped"},
	{"IPv6 fragment", []string{there, "86dd", "60000000", "001c", "2c", "40", ipv6, "0600000000000001", "c35001bb00000001000000005002ffff00000000"}, "fragment-dropped"},
	{"IPv6 no next header", []string{there, "86dd", "60000000", "0000", "3b", "40", ipv6}, "not-tcp"},
	{"TCP, length beyond the frame", []string{there, "0800", "45000400", "00010000", "4006", "0000", ipv4, "c35001bb00000001000000005002ffff00000000"}, "malformed-dropped"},
	{"TCP header too short", []string{there, "0800", "45000028", "00010000", "4006", "0000", ipv4, "c35001bb00000001000000004002ffff00000000"}, "malformed-dropped"},
	{"TCP to another port", []string{there, "0800", "45000028", "00010000", "4006", "0000", ipv4, "c35000160000000100000000", "5002ffff00000000", "aabb"}, "unselected"},
	{"TCP amid a connection", []string{there, "0800", "45000028", "00010000", "4006", "0000", ipv4, "c35001bb0000000100000009", "5010ffff00000000"}, "untracked-dropped"},
	{"SYN from an exempt address", []string{there, "0800", "45000028", "00010000", "4006", "0000", "c0000263" + "c000020a", "c35001bb00000001000000005002ffff00000000"}, "exempt"},
	{"SYN to an exempt address", []string{there, "0800", "45000028", "00010000", "4006", "0000", "c0000202" + "c0000262", "c35001bb00000001000000005002ffff00000000"}, "exempt"},
	{"SYN to what is exempt as a client", []string{there, "0800", "45000028", "00010000", "4006", "f669", "c0000202" + "c0000263", "c35001bb00000001000000005002ffff66700000"}, "handshake"},
	{"QinQ", []string{there, "88a8", "0064", "8100", "0065", "0800", "45000028", "00010000", "4006", "0000", ipv4, "c35001bb00000001000000005002ffff00000000"}, "tag-dropped"},
	{"two 802.1Q tags", []string{there, "8100", "0064", "8100", "0065", "0800", "45000028", "00010000", "4006", "0000", ipv4, "c35001bb00000001000000005002ffff00000000"}, "tag-dropped"},
	{"two 802.1Q tags, another port", []string{there, "8100", "0064", "8100", "0065", "0800", "45000028", "00010000", "4006", "0000", ipv4, "c35000160000000100000000", "5002ffff00000000"}, "tag"},
	{"fragment, another port", []string{there, "0800", "45000028", "00012000", "4006", "0000", ipv4, "c3500016", repeat(0, 16)}, "fragment"},
	{"overlapping fragment", []string{there, "0800", "4500001c", "00010001", "4006", "0000", ipv4, repeat(2, 8)}, "fragment-dropped"},
	{"IPv4 options, another port", []string{there, "0800", "4600002c", "00010000", "4006", "0000", ipv4, "94040000", "c350001600000001000000005002ffff00000000"}, "extension"},
	{"IPv4 options, exempt", []string{there, "0800", "4600002c", "00010000", "4006", "0000", "c0000263" + "c000020a", "94040000", "c35001bb00000001000000005002ffff00000000"}, "extension"},
	{"IPv4 options, UDP", []string{there, "0800", "46000028", "00010000", "4011", "0000", ipv4, "94040000", "d43101bb", "0010", "0000", repeat(1, 8)}, "not-tcp"},
	{"many extension headers", []string{there, "86dd", "60000000", "0050", "3c", "40", ipv6, strings.Repeat("3c00010400000000", 9), "3b00010400000000"}, "malformed-dropped"},
	{"IPv6 options, ICMP", []string{there, "86dd", "60000000", "0010", "3c", "40", ipv6, "3a00010400000000", "8000000000000000"}, "not-tcp"},
	{"priority tag, unknown connection", []string{there, "8100", "6000", "0800", "45000028", "00010000", "4006", "0000", ipv4, "c35001bb0000000100000009", "5010ffff00000000"}, "untracked-dropped"},
	{"reset of an unknown connection", []string{there, "0800", "45000028", "00010000", "4006", "0000", ipv4, "c35001bb0000000100000000", "5004ffff00000000"}, "untracked"},
	{"SYN with a bad sum", []string{there, "0800", "45000028", "00010000", "4006", "b6c3", ipv4, "c35001bb00000001000000005002ffff00000000"}, "checksum-dropped"},
	{"SYN and FIN", []string{there, "0800", "45000028", "00010000", "4006", "b6c3", ipv4, "c35001bb00000001000000005003ffff00000000"}, "unacceptable-dropped"},
	{"tagged UDP with priority", []string{there, "8100", "604d", "0800", "45000024", "00010000", "4011", "0000", ipv4, "d43101bb", "0010", "0000", repeat(1, 8)}, "not-tcp"},
}

// What is not selected arrives octet for octet, in both directions. What is, and
// cannot be judged, does not, unless the wire is open.
func TestFrames(t *testing.T) {
	t.Parallel()
	for _, open := range []bool{false, true} {
		t.Run(map[bool]string{false: "strict", true: "open"}[open], func(t *testing.T) {
			t.Parallel()
			testFrames(t, open)
		})
	}
}

func testFrames(t *testing.T, open bool) {
	b := newBench(t)
	for _, end := range []*netlab.Namespace{b.Client, b.Origin} {
		// Neither end answers, nor speaks on its own.
		if err := end.Sysctl("net.ipv6.conf.eth0.disable_ipv6", "1"); err != nil {
			t.Fatal(err)
		}
	}
	p := b.start(settings{Ports: []policy.PortRange{{First: 443, Last: 443}}, Exempt: intake.Exempt{Clients: prefixes("192.0.2.99/32"), Origins: prefixes("192.0.2.98/32")}, Open: open, Grace: time.Millisecond})
	b.await(true)
	client, origin := openTap(t, b.Client), openTap(t, b.Origin)
	for client.receive(50*time.Millisecond) != nil || origin.receive(50*time.Millisecond) != nil {
	}
	jumbo := odd[0]
	jumbo.name, jumbo.parts = "full MTU", []string{there, "88b5", repeat(0xab, 1500)}
	for _, tt := range append(odd, jumbo) {
		path, dropped := strings.CutSuffix(tt.path, "-dropped")
		dropped = dropped && !open
		if dropped {
			path = tt.path
		}
		for i, way := range [][2]*tap{{client, origin}, {origin, client}} {
			t.Run(fmt.Sprintf("%s/%d", tt.name, i), func(t *testing.T) {
				before := b.status().Paths[path]
				frame := octets(t, tt.parts...)
				if err := way[0].send(frame); err != nil {
					t.Fatal(err)
				}
				if dropped {
					if got := way[1].receive(20 * time.Millisecond); got != nil {
						t.Errorf("arrived: %x", got)
					}
				} else if got := way[1].receive(time.Second); !bytes.Equal(got, frame) {
					t.Errorf("arrived:\n%x\nsent:\n%x", got, frame)
				}
				if n := b.status().Paths[path] - before; n != 1 {
					t.Errorf("path %q counted %d frames, want 1", path, n)
				}
			})
			for client.receive(time.Millisecond) != nil || origin.receive(time.Millisecond) != nil {
			} // answers of the ends' stacks
		}
	}
	p.stop()
	if open {
		return
	}
	// What was dropped is told of, to the last frame.
	want := make(map[string]int)
	for path, n := range b.status().Paths {
		if strings.HasSuffix(path, "-dropped") && n > 0 {
			want[path] = int(n)
		}
	}
	tempo.Until(t, fmt.Sprintf("the daemon has told of %v", want), func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return len(want) > 5 && cmp.Equal(want, p.drops)
	})
}

func TestJumbo(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for _, end := range []struct {
		ns   *netlab.Namespace
		name string
	}{{b.Client, "eth0"}, {b.Box, lab.LANInterface}, {b.Box, lab.WANInterface}, {b.Origin, "eth0"}} {
		out, err := end.ns.Command(t.Context(), "ip", "link", "set", "dev", end.name, "mtu", "9000").CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	b.echo("tcp", ":443")
	p := b.start(settings{})
	b.await(true)
	client, origin := openTap(t, b.Client), openTap(t, b.Origin)
	frame := octets(t, there, "88b5", repeat(0xcd, 9000))
	if err := client.send(frame); err != nil {
		t.Fatal(err)
	}
	for {
		got := origin.receive(time.Second)
		if got == nil {
			t.Fatal("frame of 9014 octets did not arrive")
		}
		if bytes.Equal(got, frame) {
			break
		}
	}
	if err := b.exchange("tcp", lab.OriginV4+":443", random(1<<20)); err != nil {
		t.Error(err)
	}
	p.stop()
}
