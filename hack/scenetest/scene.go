// Package scenetest runs the appliance among real programs, for tests: a gateway of
// network namespaces with the appliance on it, a recorder on its mirror port, origins
// and clients as a test starts them. Every scene ends with the same questions. Does
// tshark find fault with any frame? Is every octet that was relayed on the mirror, or
// counted as lost? Are rules, routes and links of the box as they were before?
//
// A package of scenes calls [Main] from its TestMain and [New] from its tests. Scenes
// share nothing, so they may run side by side. Needs root and the programs of
// hack/lab.
package scenetest

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/clearspan/clearspan/hack/lab"
	"github.com/clearspan/clearspan/hack/netlab"
	"github.com/clearspan/clearspan/hack/tempo"
)

const (
	WebName  = "www.example.test"
	MailName = "mail.example.test"
	Domain   = "example.test"
	User     = "bob"
	Password = "secret"
)

// Scene is a gateway with the appliance on it and a recorder at its mirror port.
// Origins are started by the tests that want them.
type Scene struct {
	*testing.T
	*lab.Gateway
	Ctx       context.Context
	PKI       *lab.PKI
	Cert      lab.KeyPair // for webName, mailName and the origin's addresses
	Appliance *lab.Appliance
	Capture   *lab.Capture
	Dir       string // the appliance's
	CA        string // PEM file that clients trust
	stopped   bool

	// Deflated is the port of origins whose sessions turn to DEFLATE; 0 for none. Set it
	// before Stop.
	Deflated uint16
	finish   func(*Scene)
	Gaps     bool   // as in settings
	blind    bool   // as in settings
	Kernel   string // what the appliance may change in the box, before it started
}

// Settings of a scene; the zero value is the usual appliance.
type Settings struct {
	Intake string           // YAML list item; default: tproxy on every port
	Policy string           // YAML value of policy
	Origin string           // more members of origin, such as `on_invalid: {default: block}`
	Mirror string           // more YAML list items
	Audit  string           // more members of audit, such as `interim: 1m`
	HTTP2  string           // how the recorder gets HTTP/2; default: keep
	More   string           // more top-level YAML
	Plain  bool             // without the race detector
	NoFile int              // how many descriptors the appliance may have; 0: as many as the test
	Memory *lab.MemoryGroup // of the appliance; may be nil
	Hosts  string           // content of its hosts file; empty: the machine's
	Env    string           // of the appliance, NAME=VALUE; empty: nothing more than usual
	Gaps   bool             // octets are lost on the mirror port on purpose: gaps are no fault
	Blind  bool             // nobody keeps what is on the mirror port, and there are no capture files
	Full   string           // of the mirror port; default: block
	Lasts  time.Duration    // how much longer than usual the test may take

	Network func(*netlab.Lab) (*lab.Gateway, error) // nil: lab.NewGateway
	Prepare func(*Scene)                            // called before the appliance starts; may be nil
	Finish  func(*Scene)                            // called when it has ended; may be nil
}

const EveryPort = `{name: gateway, mode: tproxy, listen: ":8099", from: [` + lab.LANInterface + `]}`

// New builds the network and starts recorder and appliance. When the test
// ends, everything is stopped and what was recorded is judged, see [Scene.Stop].
func New(t *testing.T, s Settings) *Scene {
	t.Helper()
	Together(t)
	network := netlab.ForTest(t)
	if err := dependOnSources(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(2+tempo.Rounds())*time.Minute+s.Lasts)
	t.Cleanup(cancel)
	c := &Scene{T: t, Ctx: ctx, Gaps: s.Gaps, blind: s.Blind, finish: s.Finish}
	var err error
	if s.Network == nil {
		s.Network = lab.NewGateway
	}
	if c.Gateway, err = s.Network(network); err != nil {
		t.Fatal(err)
	}
	if c.PKI, err = lab.NewPKI(c.Directory("pki")); err != nil {
		t.Fatal(err)
	}
	if c.Cert, err = c.PKI.Issue(WebName, MailName, Domain, lab.OriginV4, lab.OriginV6); err != nil {
		t.Fatal(err)
	}
	c.Dir = c.Directory("box")
	c.CA = filepath.Join(c.Dir, "state", "authority", "ca.crt")
	files := "  - {name: files, kind: pcapng, directory: pcap}"
	if s.Blind {
		files = ""
	} else if c.Capture, err = lab.StartCapture(c.Recorder, lab.RecorderInterface, filepath.Join(c.Directory("recorder"), "mirror.pcap")); err != nil {
		t.Fatal(err)
	}
	if s.Full == "" {
		s.Full = "block"
	}
	if s.Intake == "" {
		s.Intake = EveryPort
	}
	if s.Policy == "" {
		s.Policy = "{default: bump}"
	}
	yaml := fmt.Sprintf(`state: state
intake:
  - %s
origin: {roots: [%q]%s}
policy: %s
mirror:
  - {name: recorder, kind: interface, interface: %s, full: %s, http2: %s, content: [decrypted, plain]}
%s
%s
audit: {file: sessions.jsonl%s}
admin: {listen: 127.0.0.1:8090}
%s
`, s.Intake, c.PKI.RootFile, Prefixed(", ", s.Origin), s.Policy, lab.MirrorInterface, s.Full, cmp.Or(s.HTTP2, "keep"), files, s.Mirror, Prefixed(", ", s.Audit), s.More)
	if s.Prepare != nil {
		s.Prepare(c)
	}
	c.Kernel = c.KernelState()
	if c.Appliance, err = lab.StartAppliance(c.Box, c.Dir, c.limited(s), yaml); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Stop()
		c.keep()
	})
	return c
}

func Prefixed(prefix, s string) string {
	if s == "" {
		return ""
	}
	return prefix + s
}

// In returns the scene for a subtest.
func (c *Scene) In(t *testing.T) *Scene {
	d := *c
	d.T = t
	return &d
}

// Directory makes one of the lab's directories.
func (c *Scene) Directory(name string) string {
	c.Helper()
	dir, err := c.Lab.Dir(name)
	if err != nil {
		c.Fatal(err)
	}
	return dir
}

// keep leaves the evidence of a failed test, or of any with CLEARSPAN_KEEP set. The
// directory lasts if go test was given -artifacts.
func (c *Scene) keep() {
	if !c.Failed() && os.Getenv("CLEARSPAN_KEEP") == "" {
		return
	}
	dir := c.ArtifactDir()
	var capture string
	if c.Capture != nil {
		capture = c.Capture.File
	}
	for _, file := range []string{capture, filepath.Join(c.Dir, "log"), filepath.Join(c.Dir, "state", "sessions.jsonl")} {
		if b, err := os.ReadFile(file); err == nil {
			os.WriteFile(filepath.Join(dir, filepath.Base(file)), b, 0o644)
		}
	}
}
