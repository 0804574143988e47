package config

import (
	"fmt"
	"mime"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/clearspan/clearspan/appliance/service/icap"
	"github.com/clearspan/clearspan/appliance/service/inline"
)

// Service is a device that may change or block what sessions say. A rule names
// those that its sessions go through.
type Service struct {
	Name string // unique among services
	Kind ServiceKind

	// Timeout is how long a session waits for it: for the next octets, and for the
	// whole header of an answer (kind icap, default 30s); for a connection through
	// it (kind inline, default 3s).
	Timeout time.Duration
	// OnFailure is what happens to sessions that it fails for. Default closed.
	OnFailure FailureMode

	// Of kind icap.
	URLs        []string    // of its servers, icap or icaps
	Modes       []ICAPMode  // what it is shown. Default both
	Roots       []string    // whom icaps servers are trusted by: "system" and PEM files. Default system
	MaxBody     uint64      // longest body shown, in octets. Default 0: no limit
	Oversize    FailureMode // what happens to longer ones. Default open
	Replay      uint64      // octets kept of a body until the service has decided. Default 64 KiB
	Preview     int         // longest preview in octets; -1: what the server wants, the default; -2: none
	Streams     []string    // media types of endless responses that it is not shown. Default text/event-stream, and application/grpc if it fails open
	Connections int         // to each server, at most. Default 64
	Tell        []Telling   // what it is told of the ends. Default all
	Foreign     Passage     // protocols that it is not for. Default known if it fails closed, else pass
	Upgrade     Passage     // what follows a granted upgrade or CONNECT. Default block if it fails closed, else pass
	Ranges      Ranges      // of responses. Default whole if it fails closed, else pass
	Paused      Paused      // bodies that pause while it has not answered. Default hold if it fails closed, else pass
	User        UserForm    // how it is told the user. Default base64

	// Of kind inline.
	Legs  [2]string       // interfaces: toward clients, toward origins
	Port  uint16          // that the device sees as the origin's. Default 0: that of the protocol in clear, 80 for 443
	VLAN  uint16          // tag on both legs. Default 0: none
	Probe time.Duration   // between two trials of a device that no session uses; 0: none. Default 2s
	Hops  [2][]inline.Hop // by leg, for a device that routes; at most one a family, the same families on both. Default none
}

// ServiceKind is how a service is reached.
type ServiceKind string

const (
	ICAP   ServiceKind = "icap"
	Inline ServiceKind = "inline"
)

// FailureMode is what happens to what cannot be inspected.
type FailureMode string

const (
	FailOpen   FailureMode = "open"   // it passes
	FailClosed FailureMode = "closed" // it is blocked
)

// ICAPMode is a method by which a service of kind icap adapts messages.
type ICAPMode string

const (
	REQMOD  ICAPMode = "reqmod"
	RESPMOD ICAPMode = "respmod"
)

// Passage is what becomes of content that a service of kind icap does not read.
type Passage string

const (
	PassForeign  Passage = "pass"  // it passes
	KnownForeign Passage = "known" // it passes if its protocol is recognized
	BlockForeign Passage = "block" // it is blocked
)

// Ranges is what becomes of requests for ranges.
type Ranges string

const (
	WholeRanges Ranges = "whole" // the origin is asked for the whole
	PassRanges  Ranges = "pass"  // they pass
)

// Paused is what becomes of a body that pauses.
type Paused string

const (
	HoldPaused Paused = "hold" // it waits for the service
	PassPaused Paused = "pass" // it passes unseen
)

// Telling is a fact that a service of kind icap is told.
type Telling string

const (
	TellClientIP   Telling = "client-ip"
	TellClientPort Telling = "client-port"
	TellServerIP   Telling = "server-ip"
	TellUser       Telling = "user"
)

// UserForm is how a user is written.
type UserForm string

const (
	UserBase64 UserForm = "base64" // of "Local://USER"
	UserPlain  UserForm = "plain"
)

// Values of Service.Preview that are no sizes.
const (
	AutoPreview = -1
	NoPreview   = -2
)

func (r *reader) services(n *node) []Service {
	items := r.list(n, "services")
	names := make(map[string]int, len(items))
	var services []Service
	for _, item := range items {
		s := r.service(item, names)
		if s.Name == noService {
			r.fail(item.place(), "name: %q has a meaning of its own in rules", s.Name)
		}
		services = append(services, s)
	}
	return services
}

func (r *reader) service(n *node, names map[string]int) (s Service) {
	t := r.table(n, "services")
	s.Name = unique(t, "service", names)
	s.Kind = required(t, "kind", oneOf(ICAP, Inline))
	switch s.Kind {
	case ICAP:
		r.icap(t, &s)
	case Inline:
		r.inline(t, &s)
	default:
		t.accept(keysOf("services[]", "", false)...)
	}
	t.fill("services[]", string(s.Kind), &s)
	s.byFailure(t.has("streams"))
	if s.Kind != "" {
		t.foreign("kind "+string(s.Kind), keysOf("services[]", string(s.Kind), false)...)
	}
	t.close()
	return s
}

// byFailure sets defaults that depend on what happens if the service fails.
func (s *Service) byFailure(streams bool) {
	if s.Kind != ICAP {
		return
	}
	open := s.OnFailure == FailOpen
	either(&s.Foreign, open, PassForeign, KnownForeign)
	either(&s.Upgrade, open, PassForeign, BlockForeign)
	either(&s.Ranges, open, PassRanges, WholeRanges)
	either(&s.Paused, open, PassPaused, HoldPaused)
	if !streams {
		s.Streams = []string{"text/event-stream"}
		if open {
			s.Streams = append(s.Streams, "application/grpc")
		}
	}
}

// either sets p, unless it is set.
func either[T comparable](p *T, first bool, a, b T) {
	var none T
	switch {
	case *p != none:
	case first:
		*p = a
	default:
		*p = b
	}
}

// icap reads the keys of that kind that are more than their descriptions say.
func (r *reader) icap(t *table, s *Service) {
	key := "url"
	if t.has("urls") {
		if key = "urls"; t.has("url") {
			r.fail(t.place("url"), "url and urls exclude each other")
		}
	}
	if t.accept("url", "urls"); !t.has(key) {
		t.missing("url", "")
	}
	s.URLs = values(t, key, nil, parseICAPURL)
	if len(s.URLs) > 16 {
		r.fail(t.place(key), "%s: want at most 16", key)
	}
	s.Modes = values(t, "mode", []ICAPMode{REQMOD, RESPMOD}, oneOf(REQMOD, RESPMOD))
	s.Roots = r.roots(t, []string{"system"})
	s.Replay = value(t, "replay", 64<<10, parseSize)
	if s.Replay < 1<<10 || s.Replay > 1<<20 {
		r.fail(t.place("replay"), "replay: want 1KiB to 1MiB")
	}
	s.Preview = value(t, "preview", AutoPreview, parsePreview)
	s.Streams = emptiable(t, "streams", nil, parseMedia)
	all := []Telling{TellClientIP, TellClientPort, TellServerIP, TellUser}
	s.Tell = emptiable(t, "tell", all, oneOf(all...))
}

// emptiable is values for a key whose list may be empty.
func emptiable[T any](t *table, key string, def []T, parse func(string) (T, error)) []T {
	if n := t.get(key); n != nil && n.kind() == list && len(n.items()) == 0 {
		return nil
	}
	return values(t, key, def, parse)
}

// inline reads the keys of that kind that are more than their descriptions say.
func (r *reader) inline(t *table, s *Service) {
	legs := values(t, "legs", nil, parseInterface)
	switch {
	case !t.has("legs"):
		t.missing("legs", "")
	case len(legs) != 2 || legs[0] == legs[1]:
		r.fail(t.place("legs"), "legs: want two interfaces, the one toward clients first")
	default:
		s.Legs = [2]string(legs)
	}
	s.Probe = value(t, "probe", 2*time.Second, func(v string) (time.Duration, error) {
		if v == "off" {
			return 0, nil
		}
		return duration(100*time.Millisecond, time.Hour)(v)
	})
	s.Hops = r.hops(t, s.Legs)
}

// hops reads the key hops of a service of kind inline: for each leg an address of
// each version of IP that the device routes.
func (r *reader) hops(t *table, legs [2]string) (hops [2][]inline.Hop) {
	n := t.get("hops")
	if n == nil {
		return hops
	}
	items := r.list(n, "hops")
	if n.kind() == list && len(items) == 0 {
		r.fail(n.place(), "hops: list is empty")
	}
	var families [2][2]bool // by leg; IPv4, IPv6
	faulty := false
	for _, item := range items {
		leg, hop, ok := r.hop(item, legs)
		if !ok {
			faulty = true
			continue
		}
		family := 0
		if hop.Address.Addr().Is6() {
			family = 1
		}
		if families[leg][family] {
			r.fail(item.child("address").place(), "address: leg %s has one of that version of IP already", legs[leg])
		}
		families[leg][family] = true
		hops[leg] = append(hops[leg], hop)
	}
	if !faulty && families[0] != families[1] {
		r.fail(n.place(), "hops: want the same versions of IP on both legs")
	}
	return hops
}

// hop reads one item of hops, and which of the two legs it is for. ok tells that it is
// without a fault.
func (r *reader) hop(n *node, legs [2]string) (leg int, hop inline.Hop, ok bool) {
	h := r.table(n, "hops")
	name := required(h, "leg", parseInterface)
	hop = inline.Hop{Address: required(h, "address", parseHostPrefix), Gateway: required(h, "gateway", parseAddress)}
	h.close()
	if name == legs[1] {
		leg = 1
	}
	switch {
	case name == "" || legs[0] == "" || !hop.Address.IsValid() || !hop.Gateway.IsValid(): // told already
		return leg, hop, false
	case name != legs[leg]:
		r.fail(h.place("leg"), "leg: %q is not a leg of the service", name)
		return leg, hop, false
	case !hop.Address.Masked().Contains(hop.Gateway) || hop.Gateway == hop.Address.Addr():
		r.fail(h.place("gateway"), "gateway: %s is not another address in the network %s", hop.Gateway, hop.Address.Masked())
		return leg, hop, false
	}
	return leg, hop, true
}

// parseHostPrefix accepts an address with the length of its network.
func parseHostPrefix(s string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(s)
	if err != nil || p.Addr().Is4In6() || p.Addr().IsUnspecified() || p.Addr().IsMulticast() {
		return netip.Prefix{}, fmt.Errorf("want an address with the length of its network such as 10.0.0.2/30, not %q", s)
	}
	return p, nil
}

// parseMedia accepts a media type without parameters, and returns it in lower case.
func parseMedia(s string) (string, error) {
	kind, params, err := mime.ParseMediaType(s)
	if err != nil || len(params) > 0 || !strings.Contains(kind, "/") {
		return "", fmt.Errorf("want a media type such as text/event-stream, not %q", s)
	}
	return kind, nil
}

// parsePreview accepts "auto", "off" or a size.
func parsePreview(s string) (int, error) {
	switch s {
	case "auto":
		return AutoPreview, nil
	case "off":
		return NoPreview, nil
	}
	n, err := parseSize(s)
	if err != nil || n > 1<<20 {
		return 0, fmt.Errorf("want auto, off or a size up to 1MiB, not %q", s)
	}
	return int(n), nil
}

// parseICAPURL accepts icap://HOST[:PORT]/SERVICE and icaps.
func parseICAPURL(s string) (string, error) { return s, icap.CheckURL(s) }

// noService stands for an empty list of services.
const noService = "none"

// chain reads the key services of a rule, or of the policy: names in order from
// the client, or "none". Nil if it is absent.
func chain(t *table, services []string) []string {
	n := t.get("services")
	if n != nil && (n.kind() == list && len(n.items()) == 0 || n.kind() == scalar && n.text() == noService) {
		return []string{}
	}
	names := values(t, "services", nil, among("service", services))
	for i, name := range names {
		if slices.Contains(names[:i], name) {
			t.r.fail(t.place("services"), "services: %s is listed twice", name)
		}
	}
	return names
}
