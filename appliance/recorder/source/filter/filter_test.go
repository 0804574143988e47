package filter

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/net/bpf"

	"github.com/clearspan/clearspan/hack/needs"
)

// filters are those that are compared with tcpdump's.
var filters = []string{
	"not port 9999", "tcp port 80 or 443", "tcp", "udp", "sctp", "icmp", "icmp6", "ip", "ip6", "arp",
	"host 192.0.2.1", "src host 192.0.2.1", "dst 192.0.2.1", "src or dst host 192.0.2.1", "src and dst host 192.0.2.1",
	"ip host 192.0.2.1", "arp host 192.0.2.1", "host 2001:db8::1", "ip6 host 2001:db8::1", "src host 2001:db8::1 or dst host 192.0.2.1",
	"net 192.0.2.0/24", "src net 10.0.0.0/8", "dst net 2001:db8::/32", "net 2001:db8::/40", "ip net 0.0.0.0/0", "ip6 net 2001:db8::/64",
	"port 53", "src port 53", "udp dst port 53", "udp src or dst port 53", "portrange 50-100", "tcp src portrange 80-90", "sctp port 80",
	"ether host 02:00:00:00:00:01", "ether src 02:00:00:00:00:01", "ether dst host 02:00:00:00:00:01", "ether proto 0x0806", "ip proto 47", "ip6 proto 6", "proto 17",
	"less 80", "greater 80", "vlan", "vlan 7", "not vlan", "vlan and tcp", "vlan 7 and host 192.0.2.1", "vlan 7 and vlan 8", "vlan and vlan and udp port 53", "tcp or vlan and udp", "port 53 or (vlan and port 53)",
	"tcp and not (port 80 or port 443) and host 192.0.2.1", "!tcp && !udp", "host 192.0.2.1 and not port 22 or arp", "not host 192.0.2.1 and 192.0.2.2",
	"not (tcp or udp) or icmp and ip", "src 192.0.2.1 or dst 192.0.2.2", "tcp port 80 and src net 192.0.2.0/24 or ether dst 02:00:00:00:00:02",
}

// frameOf returns a frame of random, but likely things.
func frameOf(rng *rand.Rand) []byte {
	pick := func(list ...uint32) uint32 { return list[rng.IntN(len(list))] }
	p := []byte{2, 0, 0, 0, 0, byte(pick(1, 2)), 2, 0, 0, 0, 0, byte(pick(1, 2))}
	for range pick(0, 0, 0, 1, 1, 2) {
		p = binary.BigEndian.AppendUint16(p, uint16(pick(0x8100, 0x8100, 0x88a8, 0x9100)))
		p = binary.BigEndian.AppendUint16(p, uint16(pick(7, 8, 0x2007)))
	}
	kind := pick(0x0800, 0x0800, 0x0800, 0x86dd, 0x86dd, 0x0806, 0x8035, 0x1234)
	p = binary.BigEndian.AppendUint16(p, uint16(kind))
	four := func() uint32 { return pick(0xc0000201, 0xc0000202, 0x0a000001, 0xc6336401) }
	next := byte(pick(6, 6, 17, 17, 132, 1, 58, 47, 44))
	switch kind {
	case 0x0800:
		ip := make([]byte, 20+4*pick(0, 0, 1, 3))
		ip[0] = 0x40 | byte(len(ip)/4)
		ip[9] = next
		binary.BigEndian.PutUint16(ip[6:], uint16(pick(0, 0, 0, 0x2000, 0x4000, 5)))
		binary.BigEndian.PutUint32(ip[12:], four())
		binary.BigEndian.PutUint32(ip[16:], four())
		p = append(p, ip...)
	case 0x86dd:
		ip := make([]byte, 40)
		ip[0], ip[6] = 0x60, next
		for at := 8; at < 40; at += 16 {
			copy(ip[at:], []byte{0x20, 1, 0xd, byte(pick(0xb8, 0xb9))})
			ip[at+15] = byte(pick(1, 2))
		}
		p = append(p, ip...)
		if next == 44 {
			p = append(p, byte(pick(6, 17)), 0, 0, 0, 0, 0, 0, 1)
		}
	case 0x0806, 0x8035:
		arp := make([]byte, 28)
		binary.BigEndian.PutUint32(arp[14:], four())
		binary.BigEndian.PutUint32(arp[24:], four())
		p = append(p, arp...)
	}
	for range 2 {
		p = binary.BigEndian.AppendUint16(p, uint16(pick(80, 443, 53, 9999, 22, 85)))
	}
	// A load beyond the end refuses a frame, and tcpdump's loads come in another order.
	return append(p, make([]byte, 8+rng.IntN(60))...)
}

// oracle returns what tcpdump makes of a filter.
func oracle(t *testing.T, text string) *bpf.VM {
	t.Helper()
	out, err := exec.Command("tcpdump", "-ddd", "-y", "EN10MB", "-r", emptyCapture(t), text).Output()
	if err != nil {
		t.Fatalf("tcpdump %q: %v", text, err)
	}
	var raw []bpf.RawInstruction
	in := bufio.NewScanner(bytes.NewReader(out))
	for in.Scan() {
		var r bpf.RawInstruction
		if n, _ := fmt.Sscan(in.Text(), &r.Op, &r.Jt, &r.Jf, &r.K); n == 4 {
			raw = append(raw, r)
		}
	}
	code, _ := bpf.Disassemble(raw)
	return machine(t, text, code)
}

func machine(t *testing.T, text string, code []bpf.Instruction) *bpf.VM {
	t.Helper()
	vm, err := bpf.NewVM(code)
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return vm
}

// TestAsTcpdump: filters pass the frames that tcpdump's pass.
func TestAsTcpdump(t *testing.T) {
	if _, err := exec.LookPath("tcpdump"); err != nil {
		needs.Missing(t, err)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	frames := make([][]byte, 4000)
	for i := range frames {
		frames[i] = frameOf(rng)
	}
	for _, text := range filters {
		code, err := compile(text, false)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		ours, theirs := machine(t, text, code), oracle(t, text)
		passed, told := 0, 0
		for _, p := range frames {
			a, errA := ours.Run(p)
			b, errB := theirs.Run(p)
			if errA != nil || errB != nil {
				t.Fatal(errA, errB)
			}
			if a > 0 {
				passed++
			}
			if (a > 0) != (b > 0) && told < 3 {
				told++
				t.Errorf("%q: %v, tcpdump %v: %x", text, a > 0, b > 0, p)
			}
		}
		if passed == 0 || passed == len(frames) {
			t.Errorf("%q passes %d of %d frames: it is not tested", text, passed, len(frames))
		}
	}
}

func TestErrors(t *testing.T) {
	for text, want := range map[string]string{
		"": "empty", "port": "want a number, not the end", "port http": `"http"`, "host example.test": "address", "broadcast": "unknown term",
		"tcp and": "want a term", "(tcp": "parenthesis", "tcp)": "unexpected", "net 10.0.0.1/8": "beyond its mask", "vlan 5000": "4095",
		"tcp host 192.0.2.1": "does not go with", "ip6 host 192.0.2.1": "does not go with", "ip host ::1": "has no", "ether": "host or proto",
		"ether proto 5": "type of Ethernet", "src proto 6": "does not go", "port 70000": "65535", "tcp tcp": "unexpected", "arp port 5": "does not go",
		strings.Repeat("(", 500): "deeply", strings.Repeat("port 1 or ", 2000) + "tcp": "instructions", strings.Repeat("x", 70_000): "longer",
	} {
		if _, err := Compile(text); err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "filter: ") {
			t.Errorf("%.40q: %v, want %q", text, err, want)
		}
	}
}

// TestFar: a filter whose jumps are far is as good as a short one.
func TestFar(t *testing.T) {
	list := make([]string, 60)
	for i := range list {
		list[i] = fmt.Sprint("port ", 20_000+i)
	}
	text := "not (" + strings.Join(list, " or ") + " or port 53)"
	code, err := compile(text, false)
	if err != nil {
		t.Fatal(err)
	}
	short, err := compile("not port 53", false)
	if err != nil {
		t.Fatal(err)
	}
	a, b := machine(t, text, code), machine(t, "", short)
	rng := rand.New(rand.NewPCG(3, 4))
	for range 1000 {
		p := frameOf(rng)
		x, _ := a.Run(p)
		y, _ := b.Run(p)
		if x != y {
			t.Fatalf("%d, want %d: %x", x, y, p)
		}
	}
}

func FuzzCompile(f *testing.F) {
	for _, text := range filters {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		code, err := Compile(text)
		if err != nil {
			return
		}
		if _, err := bpf.Assemble(code); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	})
}

// emptyCapture returns a capture of Ethernet without frames.
func emptyCapture(t *testing.T) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "empty.pcap")
	head := []byte{0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 16: 0, 18: 4, 20: 1, 23: 0}
	if err := os.WriteFile(name, head, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}
