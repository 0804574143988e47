// Package config reads the appliance's configuration. It checks one YAML file as a
// whole. It reports all faults at once, each with its place:
//
//	clearspan.yaml:7:13: unknown key "listn", did you mean "listen"?
//	clearspan.yaml:9:26: min_tls: TLS 1.1 is deprecated (RFC 8996) and never negotiated, want 1.2 or 1.3
//
// The package opens nothing, listens nowhere and creates no file. It only checks
// that the files exist that a configuration names.
//
//   - Durations are written "30s" or "1h", sizes "1GiB" or as octets, ports as
//     numbers or "8000-8100".
//   - A single value stands for a list of one.
//   - Relative paths start at the configuration file. Paths of files that the
//     appliance writes (captures, audit entries) start at the state directory.
//
// The annotated file example.yaml beside this package shows every key.
package config

import (
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/clearspan/clearspan/appliance/admin"
	"github.com/clearspan/clearspan/decrypt"
)

// Config is a whole configuration, complete with defaults. It is plain data:
// whoever holds it may change it before the appliance starts.
type Config struct {
	// State is the directory of everything the appliance writes. Default:
	// /var/lib/clearspan, or ~/.local/state/clearspan when not root.
	State string
	// User is whom the process becomes after a start as root: a name or number.
	// Default: the account clearspan if there is one, else a number without a name.
	User string
	// Drain is how long open sessions may go on when another process has taken over, and
	// at the end. Default: 30 s.
	Drain time.Duration
	// Intakes are the ways into the appliance, at least one.
	Intakes []Intake
	// Authority signs what clients are shown.
	Authority Authority
	Leaf      Leaf
	Client    decrypt.ClientOptions
	Origin    Origin
	Policy    Policy
	Block     Refusal
	// Mirrors are where cleartext goes. There may be none: sessions are then
	// inspected and audited only.
	Mirrors []Mirror
	// Services are what decrypted sessions may go through, by choice of rules.
	Services []Service
	Recorder *Recorder // nil: this box has none
	Audit    Audit
	Admin    admin.Options
	Limits   Limits
}

// AuthorityDir is where an authority is created that the configuration does not
// name: ca.crt, ca.key, untrusted.crt and untrusted.key.
func (c *Config) AuthorityDir() string { return filepath.Join(c.State, "authority") }

// Load reads the file at path. The error is of type [Errors] if the file could
// be read.
func Load(path string) (*Config, error) {
	data, err := Read(path)
	if err != nil {
		return nil, err
	}
	return Parse(path, data, filepath.Dir(path))
}

// Parse reads a configuration from data. name is the file's name in errors, dir
// the directory that relative paths are relative to. The error is nil or of
// type [Errors].
func Parse(name string, data []byte, dir string) (*Config, error) {
	r := &reader{file: name, dir: dir, lines: make(map[string]int)}
	root, at, err := parseTree(data)
	if err != nil {
		r.fail(at, "%v", err)
		return nil, r.errs
	}
	c := r.config(root, defaultState(Starter, os.Getenv))
	if len(data) > 1<<20 {
		runtime.GC() // the tree is twenty times the file: gone before more is made of c
	}
	if len(r.errs) > 0 {
		return nil, r.errs.sorted()
	}
	return c, nil
}

// Default is the configuration of a start without a file: an explicit proxy on
// 127.0.0.1:8080 that bumps everything, captures in STATE/pcap, pcap-over-IP on
// 127.0.0.1:57012 and the console on 127.0.0.1:8090. euid and getenv choose the
// state directory.
func Default(euid int, getenv func(string) string) *Config {
	return builtIn(defaultState(euid, getenv))
}

func builtIn(state string) *Config {
	r := &reader{lines: make(map[string]int)}
	return r.config(builtInTree(), state)
}

// defaults returns what holds for keys that a file does not set: what an empty file
// says. It names no intake.
func defaults(state string) *Config {
	r := &reader{lines: make(map[string]int)}
	return r.config(nil, state)
}

// Starter is the user that started the process. Defaults follow it, also when the
// process has become another one.
var Starter = os.Geteuid()

const (
	defaultDrain = 30 * time.Second
	maxDrain     = 720 * time.Hour
)

// config reads the whole file. state is the state directory of a file that names none.
func (r *reader) config(root *node, state string) *Config {
	t := r.table(root, "configuration")
	r.base(t)
	c := &Config{State: value(t, "state", state, parsePath(r.dir))}
	c.User = value(t, "user", "", parseAccount)
	c.Drain = value(t, "drain", defaultDrain, duration(0, maxDrain))
	c.Intakes = r.intakes(t)
	c.Authority = r.authority(t.get("authority"))
	c.Leaf = r.leaf(t.get("leaf"), c.Authority.Publish)
	c.Client = r.client(t.get("client"))
	c.Origin = r.origin(t.get("origin"))
	c.Mirrors = r.mirrors(t.get("mirror"), c.State)
	c.Services = r.services(t.get("services"))
	c.Recorder = r.recorder(t.get("recorder"), c.Mirrors, c.State)
	if own := c.Recorder.Engine(); own != nil {
		c.Mirrors = append(c.Mirrors, own.mirror(c.State))
	}
	c.Policy = r.policy(t.get("policy"), c.Mirrors, c.Intakes, c.Services)
	c.Block = r.block(t.get("block"))
	c.Audit = r.audit(t.get("audit"), c.State)
	c.Admin = r.admin(t.get("admin"), c.Mirrors, c.Services)
	c.Limits = r.limits(t.get("limits"))
	t.close()
	return c
}
