package here

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Holder is a process that listens.
type Holder struct {
	PID  int
	Name string // of its program, at most 15 octets
}

// String returns "NAME (pid N)".
func (h Holder) String() string { return fmt.Sprintf("%s (pid %d)", h.Name, h.PID) }

// maxLines bounds what is read of a table of sockets.
const maxLines = 1 << 20

// Holders returns the processes that hold a TCP listener in the way of another one at
// address. Of other users' processes only root knows. It looks at the network namespace
// of the process.
func Holders(address netip.AddrPort) (holders []Holder) {
	var inodes []string
	for _, table := range []string{"/proc/self/net/tcp", "/proc/self/net/tcp6"} {
		f, err := os.Open(table)
		if err != nil {
			continue
		}
		inodes = append(inodes, listening(f, address)...)
		f.Close()
	}
	if len(inodes) == 0 {
		return nil
	}
	links, _ := filepath.Glob("/proc/[0-9]*/fd/*")
	for _, link := range links {
		to, err := os.Readlink(link)
		if err != nil || !slices.Contains(inodes, strings.TrimSuffix(strings.TrimPrefix(to, "socket:["), "]")) {
			continue
		}
		pid, err := strconv.Atoi(strings.Split(link, "/")[2])
		if err != nil || slices.ContainsFunc(holders, func(h Holder) bool { return h.PID == pid }) {
			continue
		}
		name, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
		holders = append(holders, Holder{pid, strings.TrimSpace(string(name))})
	}
	return holders
}

// listening returns the inodes of the listeners in a table of the kernel (proc(5),
// /proc/net/tcp) that overlap with address.
func listening(table io.Reader, address netip.AddrPort) (inodes []string) {
	const listen = "0A" // TCP_LISTEN
	lines := bufio.NewScanner(table)
	for n := 0; n < maxLines && lines.Scan(); n++ {
		fields := strings.Fields(lines.Text())
		if len(fields) < 10 || fields[3] != listen {
			continue
		}
		if at, ok := parseSocket(fields[1]); ok && overlap(at, address) {
			inodes = append(inodes, fields[9])
		}
	}
	return inodes
}

// parseSocket reads an address as the kernel writes it: words of 32 bits in the order of
// the machine, and the port, in hexadecimal digits.
func parseSocket(s string) (netip.AddrPort, bool) {
	words, port, _ := strings.Cut(s, ":")
	raw, err := hex.DecodeString(words)
	if err != nil || len(raw) != 4 && len(raw) != 16 {
		return netip.AddrPort{}, false
	}
	for i := 0; i < len(raw); i += 4 {
		binary.BigEndian.PutUint32(raw[i:], binary.NativeEndian.Uint32(raw[i:]))
	}
	n, err := strconv.ParseUint(port, 16, 16)
	a, _ := netip.AddrFromSlice(raw)
	return netip.AddrPortFrom(a.Unmap(), uint16(n)), err == nil
}

// overlap reports whether listeners at a and b exclude each other. An invalid address,
// and the unspecified one of IPv6, stand for all.
func overlap(a, b netip.AddrPort) bool {
	covers := func(wide, narrow netip.Addr) bool {
		return !wide.IsValid() || wide == netip.IPv6Unspecified() || wide == narrow || wide == netip.IPv4Unspecified() && narrow.Is4()
	}
	return a.Port() == b.Port() && (covers(a.Addr(), b.Addr()) || covers(b.Addr(), a.Addr()))
}
