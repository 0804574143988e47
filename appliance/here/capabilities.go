package here

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"kernel.org/pub/linux/libs/security/libcap/cap"

	"github.com/clearspan/clearspan/appliance/config"
)

// need is what a part of the appliance needs of its process.
type need struct {
	part string
	root bool        // user 0 itself: namespaces and files under /run
	caps []cap.Value // else
	why  string      // completes "needs CAP for"
	keys []string
}

// capabilities finds the parts that need more than this process may do.
func capabilities(cfg *config.Config) (list []Finding) {
	have, err := cap.GetPID(0)
	if err != nil {
		return nil
	}
	for _, n := range needs(cfg, firstPort()) {
		lacks := slices.DeleteFunc(n.caps, func(v cap.Value) bool {
			has, err := have.GetFlag(cap.Effective, v)
			return has && err == nil
		})
		switch {
		case n.root && os.Geteuid() != 0:
			list = append(list, Finding{Message: n.part + " needs root: start clearspan as root", Keys: n.keys})
		case !n.root && len(lacks) > 0:
			list = append(list, Finding{Message: n.part + " " + remedy(lacks, n.why), Keys: n.keys})
		}
	}
	return list
}

// needs returns what the parts of a configuration need. first is the first port that
// every user may listen on.
func needs(cfg *config.Config, first uint16) (list []need) {
	for _, l := range Listeners(cfg) {
		if at, ok := socket(l.Address); ok && at.Port() < first {
			list = append(list, need{part: l.Part, caps: []cap.Value{cap.NET_BIND_SERVICE}, why: fmt.Sprintf("port %d", at.Port()), keys: l.Keys})
		}
	}
	for i := range cfg.Intakes {
		n := need{part: "intake " + cfg.Intakes[i].Name, keys: []string{"intake", strconv.Itoa(i), "mode"}}
		switch cfg.Intakes[i].Mode {
		case config.TProxy:
			n.caps, n.why = []cap.Value{cap.NET_ADMIN, cap.NET_RAW}, "mode tproxy"
		case config.Redirect:
			n.caps, n.why = []cap.Value{cap.NET_ADMIN}, "mode redirect"
		case config.Wire:
			n.root = true
		default:
			continue
		}
		list = append(list, n)
	}
	for i := range cfg.Mirrors {
		if m := &cfg.Mirrors[i]; m.Kind == config.Interface {
			list = append(list, need{
				part: "mirror " + m.Name, caps: []cap.Value{cap.NET_ADMIN, cap.NET_RAW}, why: "frames on an interface",
				keys: []string{"mirror", strconv.Itoa(i), "kind"},
			})
		}
	}
	for i := range cfg.Services {
		if s := &cfg.Services[i]; s.Kind == config.Inline {
			list = append(list, need{part: "service " + s.Name, root: true, keys: []string{"services", strconv.Itoa(i), "kind"}})
		}
	}
	return list
}

// remedy says how a process gets capabilities.
func remedy(lacks []cap.Value, why string) string {
	names, upper := make([]string, len(lacks)), make([]string, len(lacks))
	for i, v := range lacks {
		names[i], upper[i] = v.String(), strings.ToUpper(v.String())
	}
	program, err := os.Executable()
	if err != nil {
		program = "clearspan"
	}
	return fmt.Sprintf("needs %s for %s: start clearspan as root, or run: setcap %s=ep %s",
		strings.Join(upper, " and "), why, strings.Join(names, ","), program)
}

// firstPort returns the first port that every user may listen on.
func firstPort() uint16 {
	text, err := os.ReadFile("/proc/sys/net/ipv4/ip_unprivileged_port_start")
	if err != nil {
		return 1024
	}
	n, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 16)
	if err != nil {
		return 1024
	}
	return uint16(n)
}
