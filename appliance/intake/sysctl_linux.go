package intake

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
)

const sysctls = "/proc/sys/net"

// checkSysctls reads the settings that diversion by mark depends on, in the
// network namespace of the process.
func checkSysctls(from []string) error {
	// With src_valid_mark, the kernel looks for the way back to a client by the
	// mark too, finds the local route, and drops the packet as martian.
	for _, iface := range append([]string{"all"}, from...) {
		name := filepath.Join("ipv4/conf", iface, "src_valid_mark")
		if value, err := readSysctl(name); err == nil && value != "0" {
			return fmt.Errorf("check sysctl %s: is %s, diverted packets would be dropped", dotted(name), value)
		}
	}
	// A SYN cookie comes back in a packet that belongs to no socket, which is
	// then routed. With 1 that happens only when the queue overflows.
	if value, err := readSysctl("ipv4/tcp_syncookies"); err == nil && value == "2" {
		return errors.New("check sysctl net.ipv4.tcp_syncookies: is 2, diverted connections would not be accepted")
	}
	return nil
}

// warnForwarding warns if the box is no router.
func warnForwarding(log *slog.Logger) {
	for _, name := range []string{"ipv4/ip_forward", "ipv6/conf/all/forwarding"} {
		if value, err := readSysctl(name); err == nil && value == "0" {
			log.Warn("forwarding is off: the kernel does not route traffic that is not diverted, and no traffic if this process dies", "sysctl", dotted(name))
		}
	}
}

func readSysctl(name string) (string, error) {
	b, err := os.ReadFile(filepath.Join(sysctls, name))
	return strings.TrimSpace(string(b)), err
}

func dotted(name string) string { return "net." + strings.ReplaceAll(name, "/", ".") }
