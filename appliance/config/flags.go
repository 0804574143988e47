package config

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/clearspan/clearspan/appliance/intake"
)

// Quick is a configuration given by command-line flags: the built-in default,
// where every flag that is set replaces what it is about.
type Quick struct {
	Listen     string   // explicit proxy
	Static     []string // LISTEN,ORIGIN
	PCAP       string   // directory
	Interface  string
	PCAPOverIP string // address to listen on
	State      string
}

// Set reports whether any flag is set.
func (q Quick) Set() bool {
	return q.Listen != "" || len(q.Static) > 0 || q.PCAP != "" || q.Interface != "" || q.PCAPOverIP != "" || q.State != ""
}

// Config returns the configuration. euid and getenv choose the state directory
// as in [Default].
func (q Quick) Config(euid int, getenv func(string) string) (*Config, error) {
	state := q.State
	if state == "" {
		state = defaultState(euid, getenv)
	}
	state, err := filepath.Abs(state)
	if err != nil {
		return nil, fmt.Errorf("--state: %w", err)
	}
	c := builtIn(state)
	if q.Listen != "" || len(q.Static) > 0 {
		if c.Intakes, err = q.intakes(); err != nil {
			return nil, err
		}
	}
	if q.PCAP != "" || q.Interface != "" || q.PCAPOverIP != "" {
		if c.Mirrors, err = q.mirrors(); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// proxy is an explicit intake with the defaults.
func proxy(listen string) Intake {
	return Intake{Name: "proxy", Mode: Explicit, Proxy: intake.Explicit{Listen: listen}}
}

func (q Quick) intakes() (intakes []Intake, err error) {
	if q.Listen != "" {
		listen, err := parseListen(q.Listen)
		if err != nil {
			return nil, fmt.Errorf("--listen: %w", err)
		}
		intakes = append(intakes, proxy(listen))
	}
	for i, s := range q.Static {
		listen, origin, ok := strings.Cut(s, ",")
		if !ok {
			return nil, fmt.Errorf("--static: want LISTEN,ORIGIN, not %q", s)
		}
		in := Intake{Name: fmt.Sprintf("static-%d", i+1), Mode: Static}
		if in.Static.Listen, err = parseListen(listen); err != nil {
			return nil, fmt.Errorf("--static: %w", err)
		}
		if in.Static.Origin, err = parseHostPort(origin); err != nil {
			return nil, fmt.Errorf("--static: %w", err)
		}
		intakes = append(intakes, in)
	}
	return intakes, nil
}

func (q Quick) mirrors() (mirrors []Mirror, err error) {
	if q.PCAP != "" {
		m := DefaultMirror("files", PCAPNG)
		if m.Files.Directory, err = filepath.Abs(q.PCAP); err != nil {
			return nil, fmt.Errorf("--pcap: %w", err)
		}
		mirrors = append(mirrors, m)
	}
	if q.Interface != "" {
		m := DefaultMirror("recorder", Interface)
		name, err := parseInterface(q.Interface)
		if err != nil {
			return nil, fmt.Errorf("--interface: %w", err)
		}
		m.Interfaces = []string{name}
		mirrors = append(mirrors, m)
	}
	if q.PCAPOverIP != "" {
		m := DefaultMirror("live", PCAPOverIP)
		if m.Live.Addr, err = parseListen(q.PCAPOverIP); err != nil {
			return nil, fmt.Errorf("--pcap-over-ip: %w", err)
		}
		mirrors = append(mirrors, m)
	}
	return mirrors, nil
}
