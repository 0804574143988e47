package here

import (
	"bufio"
	"bytes"
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
	var inodes, users []string
	for _, table := range []string{"/proc/self/net/tcp", "/proc/self/net/tcp6"} {
		f, err := os.Open(table)
		if err != nil {
			continue
		}
		for _, l := range listening(f, address) {
			inodes, users = append(inodes, l.inode), append(users, l.user)
		}
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
	if len(holders) == 0 {
		return hidden(users)
	}
	return withoutChildren(holders)
}

// withoutChildren leaves processes out that have the listener from another one: who ends
// that ends them.
func withoutChildren(holders []Holder) []Holder {
	return slices.DeleteFunc(slices.Clone(holders), func(h Holder) bool {
		text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", h.PID))
		rest := string(text[bytes.LastIndexByte(text, ')')+1:]) // the name may have anything in it
		fields := strings.Fields(rest)
		return len(fields) > 1 && slices.ContainsFunc(holders, func(other Holder) bool { return strconv.Itoa(other.PID) == fields[1] })
	})
}

// hidden returns the one process of these users whose descriptors cannot be looked at:
// that of a program which guards its memory, as clearspan does. If there are several,
// nobody knows which it is.
func hidden(users []string) (holders []Holder) {
	folders, _ := filepath.Glob("/proc/[0-9]*")
	for _, folder := range folders {
		status, err := os.ReadFile(folder + "/status")
		if err != nil || !slices.Contains(users, field(string(status), "Uid:")) {
			continue
		}
		if f, err := os.ReadDir(folder + "/fd"); err == nil || len(f) > 0 {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(folder))
		if err == nil {
			holders = append(holders, Holder{pid, field(string(status), "Name:")})
		}
	}
	if holders = withoutChildren(holders); len(holders) > 1 {
		return nil
	}
	return holders
}

// field returns the first value of a key in a status file of the kernel (proc(5)).
func field(status, key string) string {
	for line := range strings.Lines(status) {
		if words := strings.Fields(line); len(words) > 1 && words[0] == key {
			return words[1]
		}
	}
	return ""
}

// listener is a socket that listens, and the number of the user who made it.
type listener struct{ inode, user string }

// listening returns the listeners in a table of the kernel (proc(5), /proc/net/tcp) that
// overlap with address.
func listening(table io.Reader, address netip.AddrPort) (list []listener) {
	const listen = "0A" // TCP_LISTEN
	lines := bufio.NewScanner(table)
	for n := 0; n < maxLines && lines.Scan(); n++ {
		fields := strings.Fields(lines.Text())
		if len(fields) < 10 || fields[3] != listen {
			continue
		}
		if at, ok := parseSocket(fields[1]); ok && overlap(at, address) {
			list = append(list, listener{fields[9], fields[7]})
		}
	}
	return list
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
