// Package e2e runs the appliance among real programs: nginx, Postfix and Dovecot
// as origins, curl, swaks and openssl as clients, tcpdump on the mirror port as
// the recorder, each in a network namespace of its own. Every test ends with the
// same questions: does tshark find fault with any frame, and is every octet that
// was relayed on the mirror or counted as lost?
package e2e

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/clearspan/clearspan/appliance/facts"
	"github.com/clearspan/clearspan/hack/lab"
	"github.com/clearspan/clearspan/hack/netlab"
	"github.com/clearspan/clearspan/mirror/conformance"
	"github.com/clearspan/clearspan/mirror/mirrortest"
)

// binary is the appliance, built with the race detector unless figures are wanted.
var binary string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "clearspan-e2e")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		os.Chmod(dir, 0o755)
		binary = filepath.Join(dir, "clearspan")
		if err := lab.Compile(binary, rounds() == 1); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return m.Run()
	}())
}

// dependOnSources is asked for by every scene, and done once.
var dependOnSources = sync.OnceValue(lab.DependOnSources)

// plainBinary is the appliance without the race detector, for what that takes of
// memory and time; built when it is first wanted.
var plainBinary = sync.OnceValues(func() (string, error) {
	if rounds() > 1 {
		return binary, nil
	}
	to := binary + "-plain"
	return to, lab.Compile(to, false)
})

const (
	webName  = "www.example.test"
	mailName = "mail.example.test"
	domain   = "example.test"
	user     = "bob"
	password = "secret"
)

// scene is a gateway with the appliance on it and a recorder at its mirror port.
// Origins are started by the tests that want them.
type scene struct {
	*testing.T
	*lab.Gateway
	ctx       context.Context
	pki       *lab.PKI
	cert      lab.KeyPair // for webName, mailName and the origin's addresses
	appliance *lab.Appliance
	capture   *lab.Capture
	dir       string // the appliance's
	ca        string // PEM file that clients trust
	stopped   bool
	finish    func(*scene)
	gaps      bool   // as in settings
	blind     bool   // as in settings
	kernel    string // what the appliance may change in the box, before it started
}

// settings of a scene; the zero value is the usual appliance.
type settings struct {
	intake string           // YAML list item; default: tproxy on every port
	policy string           // YAML value of policy
	origin string           // more members of origin, such as `on_invalid: {default: block}`
	mirror string           // more YAML list items
	http2  string           // how the recorder gets HTTP/2; default: keep
	more   string           // more top-level YAML
	plain  bool             // without the race detector
	nofile int              // how many descriptors the appliance may have; 0: as many as the test
	memory *lab.MemoryGroup // of the appliance; may be nil
	hosts  string           // content of its hosts file; empty: the machine's
	env    string           // of the appliance, NAME=VALUE; empty: nothing more than usual
	gaps   bool             // octets are lost on the mirror port on purpose: gaps are no fault
	blind  bool             // nobody keeps what is on the mirror port, and there are no capture files
	full   string           // of the mirror port; default: block
	lasts  time.Duration    // how much longer than usual the test may take

	network func(*netlab.Lab) (*lab.Gateway, error) // nil: lab.NewGateway
	prepare func(*scene)                            // called before the appliance starts; may be nil
	finish  func(*scene)                            // called when it has ended; may be nil
}

const everyPort = `{name: gateway, mode: tproxy, listen: ":8099", from: [` + lab.LANInterface + `]}`

// newScene builds the network and starts recorder and appliance. When the test
// ends, everything is stopped and what was recorded is judged, see [scene.stop].
func newScene(t *testing.T, s settings) *scene {
	t.Helper()
	network := netlab.ForTest(t)
	if err := dependOnSources(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(2+rounds())*time.Minute+s.lasts)
	t.Cleanup(cancel)
	c := &scene{T: t, ctx: ctx, gaps: s.gaps, blind: s.blind, finish: s.finish}
	var err error
	if s.network == nil {
		s.network = lab.NewGateway
	}
	if c.Gateway, err = s.network(network); err != nil {
		t.Fatal(err)
	}
	if c.pki, err = lab.NewPKI(c.directory("pki")); err != nil {
		t.Fatal(err)
	}
	if c.cert, err = c.pki.Issue(webName, mailName, domain, lab.OriginV4, lab.OriginV6); err != nil {
		t.Fatal(err)
	}
	c.dir = c.directory("box")
	c.ca = filepath.Join(c.dir, "state", "authority", "ca.crt")
	files := "  - {name: files, kind: pcapng, directory: pcap}"
	if s.blind {
		files = ""
	} else if c.capture, err = lab.StartCapture(c.Recorder, lab.RecorderInterface, filepath.Join(c.directory("recorder"), "mirror.pcap")); err != nil {
		t.Fatal(err)
	}
	if s.full == "" {
		s.full = "block"
	}
	if s.intake == "" {
		s.intake = everyPort
	}
	if s.policy == "" {
		s.policy = "{default: bump}"
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
audit: {file: sessions.jsonl}
admin: {listen: 127.0.0.1:8090}
%s
`, s.intake, c.pki.RootFile, prefixed(", ", s.origin), s.policy, lab.MirrorInterface, s.full, cmp.Or(s.http2, "keep"), files, s.mirror, s.more)
	if s.prepare != nil {
		s.prepare(c)
	}
	c.kernel = c.kernelState()
	if c.appliance, err = lab.StartAppliance(c.Box, c.dir, c.limited(s), yaml); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.stop()
		c.keep()
	})
	return c
}

func prefixed(prefix, s string) string {
	if s == "" {
		return ""
	}
	return prefix + s
}

// directory makes one of the lab's directories.
func (c *scene) directory(name string) string {
	c.Helper()
	dir, err := c.Lab.Dir(name)
	if err != nil {
		c.Fatal(err)
	}
	return dir
}

// nginx starts the usual sites on the origin.
func (c *scene) nginx() *lab.Web {
	c.Helper()
	web, err := lab.StartNginx(c.Origin, c.directory("nginx"), lab.Sites(c.cert))
	if err != nil {
		c.Fatal(err)
	}
	return web
}

// curl runs curl on the client, which trusts the appliance's authority and knows
// webName; it must succeed.
func (c *scene) curl(args ...string) string {
	c.Helper()
	r, err := lab.Curl(c.ctx, c.Client, c.ca, append(lab.Resolve(webName, lab.OriginV4), args...)...)
	if err != nil {
		c.Fatalf("curl %s: %v", strings.Join(args, " "), err)
	}
	return r.Stdout
}

// entry is the part of an audit entry that tests ask for.
type entry struct {
	Session, Intake, SNI, ALPN, Protocol, StartTLS, Related, Rule, Action, Would, Outcome, Reason, Learned, Taught, Notice string

	Start string

	Events  []string
	Service map[string]string
	Finding map[string]string `json:"service_finding"`

	Client, Origin, Destination netip.AddrPort
	TLSClient                   *tlsClient        `json:"tls_client"`
	TLSOrigin                   *tlsOrigin        `json:"tls_origin"`
	ForgedSerial                string            `json:"forged_serial"`
	CommunityID                 string            `json:"community_id"`
	Offer                       string            `json:"alpn_offer"`
	Octets                      map[string]uint64 // client_to_origin, origin_to_client
	Mirror                      map[string]struct {
		Frames, Octets, Lost uint64
		Reason               string

		Streams []struct {
			ID   uint32
			Port uint16
		}
		Transcoded *struct {
			Streams, Octets, Lost, Replaced, Raw uint64
			Reason                               string
		}
	} // by sink
	HTTP      []facts.Exchange
	HTTPTotal uint64 `json:"http_total"`
	Mail      []facts.Mail
	MailTotal uint64 `json:"mail_total"`
	Flow      struct {
		Client, Origin netip.AddrPort
		Ports          map[string]uint16
	}
}

type tlsClient struct {
	Version, JA4, Refusal, ECH string
	Resumed                    bool
}

type tlsOrigin struct {
	Version, Verdict, Finding, Revocation string
	Chain                                 string `json:"chain_sha256"`
	Resumed                               bool
}

// entries reads the audit trail, in the order in which the sessions began: entries
// are written when sessions have ended, which is later than the client may go on.
// The appliance must have been stopped.
func (c *scene) entries() []entry {
	c.Helper()
	f, err := os.Open(filepath.Join(c.dir, "state", "sessions.jsonl"))
	if err != nil {
		c.Fatal(err)
	}
	defer f.Close()
	var list []entry
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var e entry
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			c.Fatalf("audit entry %q: %v", lines.Text(), err)
		}
		list = append(list, e)
	}
	slices.SortStableFunc(list, func(a, b entry) int { return strings.Compare(a.Start, b.Start) })
	return list
}

// stop ends appliance and recorder and judges the recording: no frame that
// tshark objects to, and for every session and sink, octets relayed are octets
// framed plus octets lost, and octets framed are the octets in the recording. Where
// HTTP/2 is shown as HTTP/1.1, those in the recording are counted apart.
func (c *scene) stop() []mirrortest.Conversation {
	c.Helper()
	if c.stopped {
		return nil
	}
	c.stopped = true
	if err := c.appliance.Stop(); err != nil {
		c.Error(err)
	}
	if c.finish != nil {
		c.finish(c)
	}
	if after := c.kernelState(); after != c.kernel {
		c.Errorf("rules and routes of the box before:\n%s\nand after:\n%s", c.kernel, after)
	}
	if log := c.appliance.Log(); strings.Contains(log, "DATA RACE") || strings.Contains(log, "panic") {
		c.Errorf("appliance's log:\n%s", log)
	}
	if c.blind {
		c.balance("recorder")
		return nil
	}
	if _, err := c.capture.Stop(); err != nil {
		c.Error(err)
	}
	problems, err := c.problems(c.capture.File)
	if err != nil {
		c.Error(err)
	}
	for _, p := range c.objections(problems) {
		c.Errorf("tshark objects: %s", p)
	}
	recorded := c.read(c.capture.File)
	c.account("recorder", recorded)
	var written []mirrortest.Conversation
	files, _ := filepath.Glob(filepath.Join(c.dir, "state", "pcap", "*"))
	for _, file := range files {
		if !strings.HasSuffix(file, ".pcapng") {
			c.Errorf("unfinished capture %s", file)
		}
		written = append(written, c.read(file)...)
	}
	c.account("files", written)
	return recorded
}

// read takes a capture apart; our own checkers must find nothing but breaches of
// the rules that are allowed.
func (c *scene) read(file string, allowed ...conformance.Rule) []mirrortest.Conversation {
	c.Helper()
	list, err := mirrortest.Conversations(file)
	if err != nil {
		c.Fatal(err)
	}
	for _, v := range list {
		for _, f := range v.Findings {
			c.Errorf("%s: %s to %s: %v", filepath.Base(file), v.Client, v.Origin, f)
		}
	}
	c.conforms(file, allowed)
	return list
}

// account holds the audit trail against what a sink took.
func (c *scene) account(sink string, seen []mirrortest.Conversation) {
	c.Helper()
	claimed := c.balance(sink)
	session := make(map[netip.AddrPort]netip.AddrPort) // its client, by that of a stream
	for _, e := range c.entries() {
		for _, st := range e.Mirror[sink].Streams {
			session[netip.AddrPortFrom(e.Client.Addr(), st.Port)] = e.Client
		}
	}
	inFrames := make(map[netip.AddrPort]uint64)
	for _, v := range seen {
		client := unmapped(v.Client)
		if of, ok := session[client]; ok {
			client = of
		}
		inFrames[client] += v.Octets[0] + v.Octets[1]
	}
	for client, n := range claimed {
		if inFrames[client] != n {
			c.Errorf("client %s on %s: audit says %d octets framed, recorded are %d", client, sink, n, inFrames[client])
		}
	}
	for client, n := range inFrames {
		if _, ok := claimed[client]; !ok {
			c.Errorf("client %s on %s: %d octets recorded of a session without an entry", client, sink, n)
		}
	}
}

// balance holds octets relayed against octets framed and lost on a sink, for every
// session, and returns the octets framed by client.
func (c *scene) balance(sink string) (framed map[netip.AddrPort]uint64) {
	c.Helper()
	framed = make(map[netip.AddrPort]uint64)
	for _, e := range c.entries() {
		m, ok := e.Mirror[sink]
		if !ok {
			continue // nothing of it was to be mirrored
		}
		relayed := e.Octets["client_to_origin"] + e.Octets["origin_to_client"]
		if relayed != m.Octets+m.Lost {
			c.Errorf("session %s on %s: %d octets relayed, %d framed and %d lost (%s)", e.Session, sink, relayed, m.Octets, m.Lost, m.Reason)
		}
		if t := m.Transcoded; t != nil {
			framed[e.Client] += t.Octets
			continue
		}
		framed[e.Client] += m.Octets
	}
	return framed
}

// keep leaves the evidence of a failed test.
func (c *scene) keep() {
	if !c.Failed() {
		return
	}
	dir := c.ArtifactDir()
	var capture string
	if c.capture != nil {
		capture = c.capture.File
	}
	for _, file := range []string{capture, filepath.Join(c.dir, "log"), filepath.Join(c.dir, "state", "sessions.jsonl")} {
		if b, err := os.ReadFile(file); err == nil {
			os.WriteFile(filepath.Join(dir, filepath.Base(file)), b, 0o644)
		}
	}
}
