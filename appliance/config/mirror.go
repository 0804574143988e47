package config

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"github.com/clearspan/clearspan/mirror"
	"github.com/clearspan/clearspan/mirror/pcapip"
	"github.com/clearspan/clearspan/mirror/port"
)

// Kind is the sort of a mirror.
type Kind string

const (
	Interface  Kind = "interface"    // Ethernet frames on a network interface
	PCAPNG     Kind = "pcapng"       // rotating files
	PCAPOverIP Kind = "pcap-over-ip" // a TCP server that recorders connect to
	VXLAN      Kind = "vxlan"        // frames in VXLAN to a remote recorder
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

// Content is a class of octets.
type Content string

const (
	Decrypted Content = "decrypted" // cleartext of bumped sessions
	Plain     Content = "plain"     // what never was encrypted
	Tunneled  Content = "tunneled"  // TLS that was passed unopened
	Other     Content = "other"     // frames that a wire passes and that are not TCP; kind interface only
)

// Rotate is when a capture file ends and how many are kept. Zero means never,
// no limit, and all.
type Rotate struct {
	Size  uint64        // octets; default 1 GiB
	Every time.Duration // default 1h
	Keep  int           // finished files; default 168
}

// Mirror is one place that cleartext goes to.
type Mirror struct {
	Name string // unique among mirrors
	Kind Kind
	// Interfaces are the interfaces to send on, each session on one of them. Kind
	// interface only, required.
	Interfaces []string
	Method     port.Method // kind interface only; default auto
	// Directory holds the files; a relative one is relative to the state
	// directory. Kind pcapng only. Default STATE/pcap.
	Directory string
	Rotate    Rotate // kind pcapng only
	// Secrets has the TLS secrets of decrypted sessions written to the files.
	// Kind pcapng only. Default false.
	Secrets bool
	// Listen is "ADDRESS:PORT". Kind pcap-over-ip only, required.
	Listen string
	// Slow is what happens to a reader that does not keep up. Kind pcap-over-ip
	// only. Default skip.
	Slow pcapip.Slow
	// Readers are users of this machine, and groups behind an "@", that are served next
	// to root and the appliance's own user. Kind pcap-over-ip only.
	Readers []string
	// From are the networks whose machines are served; nil: private and link-local
	// addresses. Kind pcap-over-ip only.
	From []netip.Prefix
	// Remote is the recorder's address. Kind vxlan only, required; the port is
	// 4789 if none is given.
	Remote netip.AddrPort
	// VNI is the VXLAN network identifier. Kind vxlan only, required.
	VNI uint32
	// Source is the address to send from. Kind vxlan only. Default: as the route
	// wants it.
	Source netip.Addr
	// MTU is the largest IP packet in octets, 576 to 65535. Default 0: the
	// interface's own, for vxlan what the path takes, 1500 elsewhere.
	MTU int
	// Full defaults to drop, for pcapng to block. A pcap-over-ip mirror only
	// drops, so that no reader can delay a session.
	Full mirror.Overflow
	// Patience bounds how long sessions wait with full: block, for room and for the
	// link. Kind interface only. Default 5s.
	Patience time.Duration
	// Ports is the port map. Default: default.
	Ports PortMode
	// PortMap is the map for Ports == MapPorts, from true port to shown port.
	PortMap  map[uint16]uint16
	STARTTLS STARTTLS // default conceal
	HTTP2    HTTP2    // default keep
	Mark     mirror.Mark
	// Content are the classes that are mirrored. Default decrypted and plain.
	Content []Content
}

// DefaultMirror returns a mirror with the defaults of its kind.
func DefaultMirror(name string, kind Kind) Mirror {
	m := Mirror{
		Name: name, Kind: kind, Full: mirror.Drop, Ports: DefaultPorts, STARTTLS: ConcealSTARTTLS, HTTP2: KeepHTTP2,
		Content: []Content{Decrypted, Plain},
	}
	switch kind {
	case Interface:
		m.Method, m.Patience = port.Auto, 5*time.Second
	case PCAPNG:
		m.Full = mirror.Block
		m.Rotate = Rotate{Size: 1 << 30, Every: time.Hour, Keep: 168}
	case PCAPOverIP:
		m.Slow = pcapip.Skip
	}
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
		if other, ok := directories[m.Directory]; ok && m.Directory != "" {
			r.fail(item.place(), "mirrors %s and %s write to the same directory", other, m.Name)
		}
		directories[m.Directory] = m.Name
		mirrors = append(mirrors, m)
	}
	return mirrors
}

func (r *reader) mirror(n *node, names map[string]int, state string) Mirror {
	t := r.table(n, "mirror")
	name := unique(t, "mirror", names)
	kind := required(t, "kind", oneOf(Interface, PCAPNG, PCAPOverIP, VXLAN))
	m := DefaultMirror(name, kind)
	if kind == "" {
		// What the other keys may hold depends on the kind.
		t.accept("interface", "method", "directory", "rotate", "secrets", "listen", "slow", "readers", "from", "remote", "vni", "source", "mtu", "full", "patience",
			"ports", "starttls", "http2", "mark", "content")
		t.close()
		return m
	}
	r.medium(t, &m, state)
	m.MTU = value(t, "mtu", 0, intNumber(576, 65535))
	r.ports(t, &m)
	m.STARTTLS = value(t, "starttls", m.STARTTLS, oneOf(ConcealSTARTTLS, KeepSTARTTLS))
	m.HTTP2 = value(t, "http2", m.HTTP2, oneOf(KeepHTTP2, TranscodeHTTP2))
	m.Mark = r.mark(t.get("mark"))
	content := []Content{Decrypted, Plain, Tunneled}
	if kind == Interface {
		content = append(content, Other)
	}
	m.Content = values(t, "content", m.Content, oneOf(content...))
	t.close()
	return m
}

// medium reads the keys that belong to one kind of mirror.
func (r *reader) medium(t *table, m *Mirror, state string) {
	kind := "kind " + string(m.Kind)
	full := oneOf(mirror.Drop, mirror.Block)
	if m.Kind == Interface {
		m.Interfaces = values(t, "interface", nil, parseInterface)
		if !t.has("interface") {
			t.missing("interface", "")
		}
		for i, name := range m.Interfaces {
			if slices.Contains(m.Interfaces[:i], name) {
				r.fail(t.place("interface"), "interface: %s is listed twice", name)
			}
		}
		m.Method = value(t, "method", m.Method, oneOf(port.Auto, port.SendMMsg, port.GSO, port.XDP))
		m.Patience = value(t, "patience", m.Patience, duration(10*time.Millisecond, time.Hour))
	} else {
		t.foreign(kind, "interface", "method", "patience")
	}
	if m.Kind == PCAPNG {
		resolve := parsePath(state)
		pcap, _ := resolve("pcap")
		m.Directory = value(t, "directory", pcap, resolve)
		m.Rotate = r.rotate(t.get("rotate"), m.Rotate)
		m.Secrets = value(t, "secrets", false, parseBool)
	} else {
		t.foreign(kind, "directory", "rotate", "secrets")
	}
	if m.Kind == PCAPOverIP {
		m.Listen = required(t, "listen", parseListen)
		r.listens(t, "listen", "mirror "+m.Name, m.Listen)
		m.Slow = value(t, "slow", m.Slow, oneOf(pcapip.Skip, pcapip.Disconnect))
		m.Readers = values(t, "readers", nil, parseUser)
		m.From = values(t, "from", nil, parsePrefix)
		full = oneOf(mirror.Drop)
	} else {
		t.foreign(kind, "listen", "slow", "readers", "from")
	}
	if m.Kind == VXLAN {
		r.vxlan(t, m)
	} else {
		t.foreign(kind, "remote", "vni", "source")
	}
	m.Full = value(t, "full", m.Full, full)
}

// vxlan reads where a mirror of that kind sends to.
func (r *reader) vxlan(t *table, m *Mirror) {
	m.Remote = required(t, "remote", parseRemote)
	m.VNI = uint32(required(t, "vni", number(0, 1<<24-1)))
	m.Source = value(t, "source", netip.Addr{}, parseAddress)
	if remote := m.Remote.Addr(); m.Source.IsValid() && remote.IsValid() && m.Source.Is4() != remote.Is4() {
		r.fail(t.place("source"), "source: %v and the remote are of different families", m.Source)
	}
}

func (r *reader) rotate(n *node, rot Rotate) Rotate {
	t := r.table(n, "rotate")
	rot.Size = value(t, "size", rot.Size, parseSize)
	if rot.Size > 0 && rot.Size < 256<<10 {
		r.fail(t.place("size"), "size: want at least 256KiB, or 0 for no limit")
	}
	rot.Every = value(t, "every", rot.Every, duration(0, 366*24*time.Hour))
	if rot.Every > 0 && rot.Every < time.Second {
		r.fail(t.place("every"), "every: want at least 1s, or 0 for never")
	}
	rot.Keep = value(t, "keep", rot.Keep, intNumber(0, 1_000_000))
	t.close()
	return rot
}

// ports reads either a word or a table from true port to shown port.
func (r *reader) ports(t *table, m *Mirror) {
	n := t.get("ports")
	if n == nil || n.kind() != dict {
		m.Ports = value(t, "ports", m.Ports, func(s string) (PortMode, error) {
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
	m.VLAN = value(t, "vlan", 0, func(s string) (uint16, error) {
		v, err := strconv.ParseUint(s, 10, 16)
		if err != nil || v > 4094 {
			return 0, fmt.Errorf("want a VLAN identifier from 1 to 4094, or 0 for no tag, not %q", s)
		}
		return uint16(v), nil
	})
	m.SourceMAC = value(t, "mac", [6]byte{}, parseMAC)
	m.DSCP = uint8(value(t, "dscp", 0, intNumber(0, 63)))
	t.close()
	return m
}
