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
	"github.com/clearspan/clearspan/appliance/service/web/adapt"
)

// Service is a device that may change or block what sessions say. A rule names
// those that its sessions go through. Of the options by kind, those of its own kind
// count. They lack what is not configured: names, loggers, roots that are loaded.
type Service struct {
	Name     string // unique among services
	Kind     ServiceKind
	FailOpen bool // sessions that it fails for go on. Default false

	ICAP   icap.Config   // of kind icap
	Web    adapt.Service // of kind icap: which messages it sees
	Inline inline.Config // of kind inline

	// Roots are whom icaps servers are trusted by: "system" and PEM files. Kind icap
	// only. Default system.
	Roots []string
}

// options returns the options of the kind.
func (s *Service) options() []any {
	if s.Kind == Inline {
		return []any{s, &s.Inline}
	}
	return []any{s, &s.ICAP, &s.Web}
}

// ServiceKind is how a service is reached.
type ServiceKind string

const (
	ICAP   ServiceKind = "icap"
	Inline ServiceKind = "inline"
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
	t.fill("services[]", string(s.Kind), s.options()...)
	if s.Kind != "" {
		t.foreign("kind "+string(s.Kind), keysOf("services[]", string(s.Kind), false)...)
	}
	t.close()
	return s
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
	s.ICAP.URLs = values(t, key, nil, parseICAPURL)
	if len(s.ICAP.URLs) > icap.MaxServers {
		r.fail(t.place(key), "%s: want at most %d", key, icap.MaxServers)
	}
	modes := values(t, "mode", []icap.Mode{icap.REQMOD, icap.RESPMOD}, oneOf(icap.REQMOD, icap.RESPMOD))
	s.Web.Requests, s.Web.Responses = slices.Contains(modes, icap.REQMOD), slices.Contains(modes, icap.RESPMOD)
	s.Roots = r.roots(t, []string{"system"})
	s.ICAP.Preview = value(t, "preview", 0, parsePreview)
	s.ICAP.NoPreview = s.ICAP.Preview < 0
	s.ICAP.Preview = max(s.ICAP.Preview, 0)
}

// inline reads the keys of that kind that are more than their descriptions say.
func (r *reader) inline(t *table, s *Service) {
	s.Inline.Legs = r.legs(t)
	s.Inline.Probe.Interval = value(t, "probe", 2*time.Second, func(v string) (time.Duration, error) {
		if v == "off" {
			return -1, nil
		}
		return duration(100*time.Millisecond, time.Hour)(v)
	})
	s.Inline.Hops = r.hops(t, s.Inline.Legs)
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

// parsePreview accepts "auto", which is 0, "off", which is negative, or a size.
func parsePreview(s string) (int, error) {
	switch s {
	case "auto":
		return 0, nil
	case "off":
		return -1, nil
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
