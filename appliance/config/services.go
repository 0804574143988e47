package config

import (
	"fmt"
	"mime"
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
	Streams     []string    // media types of endless responses that it is not shown. Default text/event-stream
	Connections int         // to each server, at most. Default 64
	Tell        []Telling   // what it is told of the ends. Default all
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

// DefaultService returns a service with the defaults of its kind.
func DefaultService(name string, kind ServiceKind) Service {
	s := Service{Name: name, Kind: kind, OnFailure: FailClosed}
	switch kind {
	case ICAP:
		s.Timeout = 30 * time.Second
		s.Modes = []ICAPMode{REQMOD, RESPMOD}
		s.Roots = []string{"system"}
		s.Oversize, s.Replay, s.Preview, s.Connections = FailOpen, 64<<10, AutoPreview, 64
		s.Tell = []Telling{TellClientIP, TellClientPort, TellServerIP, TellUser}
		s.User = UserBase64
		s.Streams = []string{"text/event-stream"}
	case Inline:
		s.Timeout, s.Probe = 3*time.Second, 2*time.Second
	}
	return s
}

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

func (r *reader) service(n *node, names map[string]int) Service {
	t := r.table(n, "services")
	name := unique(t, "service", names)
	kind := required(t, "kind", oneOf(ICAP, Inline))
	s := DefaultService(name, kind)
	icap := []string{"url", "urls", "mode", "roots", "max_body", "oversize", "replay", "preview", "streams", "connections", "tell", "user"}
	inline := []string{"legs", "port", "vlan", "probe", "hops"}
	s.Timeout = value(t, "timeout", s.Timeout, duration(100*time.Millisecond, time.Hour))
	s.OnFailure = value(t, "on_failure", s.OnFailure, oneOf(FailOpen, FailClosed))
	switch kind {
	case ICAP:
		r.icap(t, &s)
		t.foreign("kind icap", inline...)
	case Inline:
		r.inline(t, &s)
		t.foreign("kind inline", icap...)
	default:
		t.accept(slices.Concat(icap, inline)...)
	}
	t.close()
	return s
}

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
	s.Modes = values(t, "mode", s.Modes, oneOf(REQMOD, RESPMOD))
	s.Roots = r.roots(t, s.Roots)
	s.MaxBody = value(t, "max_body", 0, parseSize)
	s.Oversize = value(t, "oversize", s.Oversize, oneOf(FailOpen, FailClosed))
	s.Replay = value(t, "replay", s.Replay, parseSize)
	if s.Replay < 1<<10 || s.Replay > 1<<20 {
		r.fail(t.place("replay"), "replay: want 1KiB to 1MiB")
	}
	s.Preview = value(t, "preview", s.Preview, parsePreview)
	if n := t.get("streams"); n != nil && n.kind() == list && len(n.items()) == 0 {
		s.Streams = nil
	} else {
		s.Streams = values(t, "streams", s.Streams, parseMedia)
	}
	s.Connections = value(t, "connections", s.Connections, intNumber(1, 10_000))
	if n := t.get("tell"); n != nil && n.kind() == list && len(n.items()) == 0 {
		s.Tell = nil
	} else {
		s.Tell = values(t, "tell", s.Tell, oneOf(TellClientIP, TellClientPort, TellServerIP, TellUser))
	}
	s.User = value(t, "user", s.User, oneOf(UserBase64, UserPlain))
}

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
	s.Port = value(t, "port", 0, parsePort)
	s.VLAN = value(t, "vlan", 0, func(v string) (uint16, error) {
		n, err := intNumber(0, 4094)(v)
		return uint16(n), err
	})
	s.Probe = value(t, "probe", s.Probe, func(v string) (time.Duration, error) {
		if v == "off" {
			return 0, nil
		}
		return duration(100*time.Millisecond, time.Hour)(v)
	})
	s.Hops = r.hops(t, s.Legs)
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
