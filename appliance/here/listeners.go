package here

import (
	"net"
	"net/netip"
	"strconv"

	"github.com/clearspan/clearspan/appliance/config"
)

// Listener is an address that a part of the appliance listens on.
type Listener struct {
	Address string   // "ADDRESS:PORT"; an empty address means every address
	Part    string   // in words, such as "mirror live"
	Flag    string   // by which a start without a file sets it
	Keys    []string // that lead to it in the file, see [config.Locator]
}

// Listeners returns the TCP listeners of a configuration, without those whose port the
// kernel chooses.
func Listeners(cfg *config.Config) (list []Listener) {
	add := func(address, part, flag string, keys ...string) {
		if _, port, err := net.SplitHostPort(address); err == nil && port != "0" {
			list = append(list, Listener{address, part, flag, keys})
		}
	}
	for i := range cfg.Intakes {
		in := &cfg.Intakes[i]
		flag := "--listen"
		if in.Mode == config.Static {
			flag = "--static"
		}
		add(in.Listen(), "intake "+in.Name, flag, "intake", strconv.Itoa(i), "listen")
	}
	for i := range cfg.Mirrors {
		m := &cfg.Mirrors[i]
		add(m.Live.Addr, "mirror "+m.Name, "--pcap-over-ip", "mirror", strconv.Itoa(i), "listen")
	}
	add(cfg.Authority.Publish, "the certificate page", "--publish", "authority", "publish")
	add(cfg.Admin.Listen, "admin", "--admin", "admin", "listen")
	return list
}

// Owner names the processes that listen at an address such as "127.0.0.1:8080".
func Owner(listen string) string {
	at, _ := socket(listen)
	return owners(at)
}

// socket returns the address of a listener as the kernel knows it; an invalid one stands
// for all addresses.
func socket(listen string) (netip.AddrPort, bool) {
	host, text, err := net.SplitHostPort(listen)
	if err != nil {
		return netip.AddrPort{}, false
	}
	port, err := strconv.ParseUint(text, 10, 16)
	if host == "localhost" {
		host = "127.0.0.1"
	}
	a, bad := netip.ParseAddr(host)
	if err != nil || host != "" && bad != nil {
		return netip.AddrPort{}, false
	}
	return netip.AddrPortFrom(a.Unmap(), uint16(port)), true
}
