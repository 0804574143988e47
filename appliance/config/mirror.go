package config

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/clearspan/clearspan/appliance/recorder/engine"
	"github.com/clearspan/clearspan/decrypt"
	"github.com/clearspan/clearspan/mirror"
	"github.com/clearspan/clearspan/mirror/pcapip"
	"github.com/clearspan/clearspan/mirror/pcapng"
	"github.com/clearspan/clearspan/mirror/port"
	"github.com/clearspan/clearspan/mirror/vxlan"
)

// Kind is the sort of a mirror.
type Kind string

const (
	Interface  Kind = "interface"    // Ethernet frames on a network interface
	PCAPNG     Kind = "pcapng"       // rotating files
	PCAPOverIP Kind = "pcap-over-ip" // a TCP server that recorders connect to
	VXLAN      Kind = "vxlan"        // frames in VXLAN to a remote recorder

	// OwnRecorder is the recorder of this box. It is a source of section recorder, not of
	// section mirror.
	OwnRecorder Kind = "recorder"
)

// PortMode is how the origin's port appears on a mirror.
type PortMode string

const (
	// DefaultPorts shows cleartext on the port where recorders expect it.
	DefaultPorts PortMode = "default"
	// KeepPorts shows the true port.
	KeepPorts PortMode = "keep"
	// MapPorts uses the map of the mirror and nothing else.
	MapPorts PortMode = "map"
)

// STARTTLS is whether the upgrade dialogue appears on a mirror.
type STARTTLS string

const (
	ConcealSTARTTLS STARTTLS = "conceal" // recorders follow the mail behind it
	KeepSTARTTLS    STARTTLS = "keep"    // the dialogue as it was
)

// HTTP2 is how HTTP/2 appears on a mirror.
type HTTP2 string

const (
	KeepHTTP2      HTTP2 = "keep"      // as it was relayed
	TranscodeHTTP2 HTTP2 = "transcode" // each stream as an HTTP/1.1 conversation of its own
)

// Other is a class of content beside those of [decrypt.Content]: frames that a wire passes
// and that are not TCP. Kind interface only.
const Other = "other"

// classes returns the words of classes of content.
func classes(of ...decrypt.Content) (words []string) {
	for _, c := range of {
		words = append(words, c.String())
	}
	return words
}

// Mirror is one place that cleartext goes to. Of the options by kind, those of its own
// kind count. They lack what is not configured: names, loggers, who is permitted.
type Mirror struct {
	Name string // unique among mirrors
	Kind Kind

	Port   port.Config   // of kind interface, for each of Interfaces
	Files  pcapng.Config // of kind pcapng
	Live   pcapip.Config // of kind pcap-over-ip
	Remote vxlan.Config  // of kind vxlan
	Engine engine.Config // of kind recorder

	// Interfaces are the interfaces to send on, each session on one of them. Kind
	// interface only, required.
	Interfaces []string
	// Secrets has the files hold the TLS secrets of decrypted sessions. Kind pcapng
	// only. Default false: files with secrets decrypt every captured connection.
	Secrets bool
	// Readers are users of this machine, and groups behind an "@", that are served next
	// to root and the appliance's own user. Kind pcap-over-ip only.
	Readers []string
	// From are the networks whose machines are served; nil: private and link-local
	// addresses. Kind pcap-over-ip only.
	From []netip.Prefix

	// Ports is the port map. Default: default.
	Ports PortMode
	// PortMap is the map for Ports == MapPorts, from true port to shown port.
	PortMap  map[uint16]uint16
	STARTTLS STARTTLS // default conceal
	HTTP2    HTTP2    // default keep
	Mark     mirror.Mark
	// Content are the classes that are mirrored, words of [decrypt.Content] or Other. Default
	// decrypted and plain.
	Content []string
}

// options returns the options of the kind of m.
func (m *Mirror) options() any {
	switch m.Kind {
	case Interface:
		return &m.Port
	case PCAPNG:
		return &m.Files
	case PCAPOverIP:
		return &m.Live
	}
	return &m.Remote
}

// DefaultMirror returns a mirror with the defaults of its kind. What a file must say is
// not set.
func DefaultMirror(name string, kind Kind) Mirror {
	r := &reader{lines: make(map[string]int)}
	m := Mirror{Name: name, Kind: kind}
	r.options(r.table(nil, "mirror"), &m, "")
	return m
}

func (r *reader) mirrors(n *node, state string) []Mirror {
	items := r.list(n, "mirror")
	names := make(map[string]int, len(items))
	var mirrors []Mirror
	directories := make(map[string]string)
	for _, item := range items {
		m := r.mirror(item, names, state)
		if m.Name == allMirrors || m.Name == noMirror {
			r.fail(item.place(), "name: %q has a meaning of its own in rules", m.Name)
		}
		if other, ok := directories[m.Files.Directory]; ok && m.Kind == PCAPNG {
			r.fail(item.place(), "mirrors %s and %s write to the same directory", other, m.Name)
		}
		directories[m.Files.Directory] = m.Name
		mirrors = append(mirrors, m)
	}
	return mirrors
}

func (r *reader) mirror(n *node, names map[string]int, state string) (m Mirror) {
	t := r.table(n, "mirror")
	m.Name = unique(t, "mirror", names)
	m.Kind = required(t, "kind", oneOf(Interface, PCAPNG, PCAPOverIP, VXLAN))
	if m.Kind == "" { // what the other keys may hold depends on it
		t.accept(keysOf("mirror[]", "", false)...)
		t.accept(keysOf("mirror[]", "", true)...)
	} else {
		r.options(t, &m, state)
	}
	t.close()
	return m
}

// options reads all keys but name and kind.
func (r *reader) options(t *table, m *Mirror, state string) {
	content := classes(decrypt.Decrypted, decrypt.Plain, decrypt.Tunneled)
	switch m.Kind {
	case Interface:
		r.interfaces(t, m)
		content = append(content, Other)
	case PCAPNG:
		r.files(t, m, state)
	case PCAPOverIP:
		m.Live.Addr = required(t, "listen", parseListen)
		r.listens(t, "listen", "mirror "+m.Name, m.Live.Addr)
		value(t, "full", mirror.Drop, oneOf(mirror.Drop)) // a reader never delays a session
	case VXLAN:
		m.Remote.Remote = required(t, "remote", parseRemote)
	}
	r.ports(t, m)
	m.Mark = r.mark(t.get("mark"))
	m.Content = values(t, "content", classes(decrypt.Decrypted, decrypt.Plain), oneOf(content...))
	t.fill("mirror[]", string(m.Kind), m, m.options())
	if to := m.Remote; to.Source.IsValid() && to.Remote.IsValid() && to.Source.Is4() != to.Remote.Addr().Is4() {
		r.fail(t.place("source"), "source: %v and the remote are of different families", to.Source)
	}
	t.foreign("kind "+string(m.Kind), keysOf("mirror[]", string(m.Kind), false)...)
}

// interfaces reads the mirror ports.
func (r *reader) interfaces(t *table, m *Mirror) {
	m.Interfaces = values(t, "interface", nil, parseInterface)
	if !t.has("interface") {
		t.missing("interface", "")
	}
	for i, name := range m.Interfaces {
		if slices.Contains(m.Interfaces[:i], name) {
			r.fail(t.place("interface"), "interface: %s is listed twice", name)
		}
	}
}

// files reads where capture files lie and when they end. Relative paths start at state.
func (r *reader) files(t *table, m *Mirror, state string) {
	resolve := parsePath(state)
	pcap, _ := resolve("pcap")
	m.Files.Directory = value(t, "directory", pcap, resolve)
	rotate := r.table(t.get("rotate"), "rotate")
	rotate.fill("mirror[].rotate", "", &m.Files)
	rotate.close()
}

// ports reads either a word or a table from true port to shown port.
func (r *reader) ports(t *table, m *Mirror) {
	n := t.get("ports")
	if n == nil || n.kind() != dict {
		m.Ports = value(t, "ports", DefaultPorts, func(s string) (PortMode, error) {
			mode, err := oneOf(DefaultPorts, KeepPorts)(s)
			if err != nil {
				return "", fmt.Errorf("unknown value %q, want default, keep or a table such as {465: 25}", s)
			}
			return mode, nil
		})
		return
	}
	entries := r.table(n, "ports")
	m.Ports, m.PortMap = MapPorts, make(map[uint16]uint16, len(entries.pairs))
	for _, p := range entries.pairs {
		from, err := parsePort(p.key)
		if err != nil {
			r.fail(p.place, "ports: %v", err)
			continue
		}
		m.PortMap[from] = required(entries, p.key, parsePort)
	}
}

func (r *reader) mark(n *node) (m mirror.Mark) {
	t := r.table(n, "mark")
	m.SourceMAC = value(t, "mac", [6]byte{}, parseMAC)
	t.fill("mirror[].mark", "", &m)
	t.close()
	return m
}
