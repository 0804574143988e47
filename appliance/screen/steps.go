package screen

import (
	"net"

	"github.com/clearspan/clearspan/appliance/config"
)

// Open is what a box that is ready has opened.
type Open struct {
	Config  *config.Config
	Intakes []net.Addr // addresses of the intakes, in the order of the configuration
	Admin   net.Addr   // nil: there is none
	Publish net.Addr   // nil: the certificate is published by proxies only
	CA      string     // file of the authority's certificate
}

// Steps returns what a newcomer does first: a line each.
func Steps(o Open) []string {
	lines := []string{"clearspan is ready."}
	step := func(what, how string) { lines = append(lines, "  "+pad(what, 11)+how) }
	proxy := ""
	for i, in := range o.Config.Intakes {
		address := ""
		if i < len(o.Intakes) && o.Intakes[i] != nil {
			address = reachable(o.Intakes[i].String())
		}
		switch in.Mode {
		case config.Explicit:
			if proxy == "" {
				proxy = address
			}
			step("proxy", address+" for HTTP, HTTPS and SOCKS: set it in the client")
		case config.Static:
			step("static", address+" leads to "+in.Static.Origin)
		default:
			step(string(in.Mode), "intake "+in.Name+" takes connections that pass this machine")
		}
	}
	switch {
	case o.Publish != nil:
		step("authority", "http://"+reachable(o.Publish.String())+"/ has the certificate for clients")
	case proxy != "":
		step("authority", "http://clearspan.internal/ through the proxy has the certificate for clients")
	default:
		step("authority", o.CA+" is the certificate for clients")
	}
	if proxy != "" {
		step("try", "curl --proxy http://"+proxy+" --cacert "+o.CA+" https://example.com/")
	}
	for _, m := range o.Config.Mirrors {
		switch m.Kind {
		case config.PCAPOverIP:
			if host, port, err := net.SplitHostPort(reachable(m.Live.Addr)); err == nil {
				step("live feed", "nc "+host+" "+port+" | tshark -r -")
			}
		case config.PCAPNG:
			step("captures", m.Files.Directory)
		default:
			step("mirror", string(m.Kind)+" "+m.Name)
		}
	}
	step("look", "clearspan status, clearspan sessions -f")
	if o.Admin != nil {
		step("console", "http://"+reachable(o.Admin.String())+"/")
	}
	return append(lines, "Sessions follow as they end; Ctrl-C stops clearspan.")
}

// reachable replaces the address of all interfaces by one that works on this machine.
func reachable(address string) string {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}
