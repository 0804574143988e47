package here

import (
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/clearspan/clearspan/appliance/config"
	"github.com/clearspan/clearspan/appliance/intake/wire"
)

const noInterface = "there is no interface "

// use is an interface that a configuration names.
type use struct {
	name    string
	keys    []string
	warning bool // the appliance waits for it
}

// interfaces finds the interfaces that this machine does not have.
func interfaces(cfg *config.Config) (list []Finding) {
	there, err := net.Interfaces()
	if err != nil {
		return nil
	}
	names := make([]string, 0, len(there))
	for _, i := range there {
		if i.Flags&net.FlagLoopback == 0 {
			names = append(names, i.Name)
		}
	}
	for _, u := range uses(cfg) {
		if slices.Contains(names, u.name) || u.name == "lo" {
			continue
		}
		list = append(list, Finding{Message: noInterface + u.name + ": " + listed(u.name, names), Keys: u.keys, Warning: u.warning})
	}
	return list
}

// uses returns the interfaces that a configuration names. Those of a wire that this
// machine has are in a namespace of its own.
func uses(cfg *config.Config) (list []use) {
	add := func(names []string, warning bool, keys ...string) {
		for i, name := range names {
			list = append(list, use{name, append(slices.Clone(keys), strconv.Itoa(i)), warning})
		}
	}
	for i := range cfg.Intakes {
		in, at := &cfg.Intakes[i], strconv.Itoa(i)
		switch in.Mode {
		case config.TProxy:
			add(in.TProxy.From, false, "intake", at, "from")
		case config.Redirect:
			add(in.Redirect.From, false, "intake", at, "from")
		case config.Wire:
			if _, err := wire.HostNamespace(in.Name); err != nil {
				add(in.Wire.Legs[:], false, "intake", at, "legs")
			}
		}
	}
	for i := range cfg.Mirrors {
		add(cfg.Mirrors[i].Interfaces, true, "mirror", strconv.Itoa(i), "interface")
	}
	for i := range cfg.Services {
		if s := &cfg.Services[i]; s.Kind == config.Inline {
			add(s.Inline.Legs[:], false, "services", strconv.Itoa(i), "legs")
		}
	}
	return list
}

// listed says which interfaces there are instead of name.
func listed(name string, names []string) string {
	const most = 10
	if near := config.Nearest(name, names); near != "" {
		return "did you mean " + near + "?"
	}
	if len(names) == 0 {
		return "this machine has only loopback"
	}
	text := "this machine has " + strings.Join(names[:min(len(names), most)], ", ")
	if len(names) > most {
		text += " and " + strconv.Itoa(len(names)-most) + " more"
	}
	return text
}
