package config

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v4"

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
	Roots      []string // PEM files, or "system"
	Admin      string   // address to listen on, or "off"
	Publish    string   // address to listen on
}

// Set reports whether any flag is set.
func (q Quick) Set() bool {
	return q.Listen != "" || len(q.Static) > 0 || q.mirrorSet() || q.State != "" || len(q.Roots) > 0 || q.Admin != "" || q.Publish != ""
}

// Movable returns the addresses of c that no flag has named: where one is taken, another
// one does as well. They may be changed.
func (q Quick) Movable(c *Config) (addresses []*string) {
	if q.Listen == "" && len(q.Static) == 0 {
		addresses = append(addresses, &c.Intakes[0].Proxy.Listen)
	}
	for i := range c.Mirrors {
		if m := &c.Mirrors[i]; !q.mirrorSet() && m.Kind == PCAPOverIP {
			addresses = append(addresses, &m.Live.Addr)
		}
	}
	if q.Admin == "" {
		addresses = append(addresses, &c.Admin.Listen)
	}
	return addresses
}

func (q Quick) mirrorSet() bool { return q.PCAP != "" || q.Interface != "" || q.PCAPOverIP != "" }

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
	if q.mirrorSet() {
		if c.Mirrors, err = q.mirrors(); err != nil {
			return nil, err
		}
	}
	if err := q.pages(c); err != nil {
		return nil, err
	}
	return c, q.apart(c)
}

// pages sets whom origins are trusted by, and where pages are.
func (q Quick) pages(c *Config) error {
	here, err := filepath.Abs(".")
	if err != nil {
		return fmt.Errorf("--roots: %w", err)
	}
	file := parseFile(here)
	for i, root := range q.Roots {
		if root != "system" {
			path, err := file(root)
			if err != nil {
				return fmt.Errorf("--roots: %w", err)
			}
			root = path
		}
		if i == 0 {
			c.Origin.Roots = nil
		}
		c.Origin.Roots = append(c.Origin.Roots, root)
	}
	for _, page := range []struct {
		flag, address string
		to            *string
	}{{"--admin", q.Admin, &c.Admin.Listen}, {"--publish", q.Publish, &c.Authority.Publish}} {
		switch {
		case page.address == "":
			continue
		case page.address == "off" && page.flag == "--admin":
			*page.to = ""
			continue
		}
		address, err := parseListen(page.address)
		if err != nil {
			return fmt.Errorf("%s: %w", page.flag, err)
		}
		*page.to = address
	}
	return nil
}

// apart refuses listeners that exclude each other, and ports that browsers refuse. The
// faults are those that a file would have.
func (q Quick) apart(c *Config) error {
	r := &reader{}
	flag := func(name string) *table {
		return &table{r: r, pairs: []pair{{key: name, value: &node{Kind: yaml.ScalarNode, Value: name}}}}
	}
	for _, in := range c.Intakes {
		name := "--listen"
		if in.Mode == Static {
			name = "--static"
		}
		r.listens(flag(name), name, "intake "+in.Name, in.Listen())
	}
	for _, m := range c.Mirrors {
		r.listens(flag("--pcap-over-ip"), "--pcap-over-ip", "mirror "+m.Name, m.Live.Addr)
	}
	r.page(flag("--admin"), "--admin", "admin", c.Admin.Listen)
	r.page(flag("--publish"), "--publish", "publish", c.Authority.Publish)
	if len(r.errs) > 0 {
		return errors.New(r.errs[0].Message)
	}
	return nil
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
