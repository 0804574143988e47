package config

import (
	"fmt"
	"mime"
	"slices"
	"strings"

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

	// Of kind icap. What holds without the keys follows from FailOpen.
	Foreign adapt.Passage // sessions that it is not for
	Upgrade adapt.Passage // what follows a granted upgrade or CONNECT: block, scan or pass
	Whole   bool          // requests for a part of the content ask for the whole

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
	if s.Kind == ICAP {
		s.byFailure(t)
	}
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

// byFailure sets defaults that depend on what happens if the service fails.
func (s *Service) byFailure(t *table) {
	if !t.has("foreign") {
		s.Foreign = either(s.FailOpen, adapt.Pass, adapt.Known)
	}
	if !t.has("upgrade") {
		s.Upgrade = either(s.FailOpen, adapt.Pass, adapt.Block)
	}
	if !t.has("ranges") {
		s.Whole = !s.FailOpen
	}
	if !t.has("paused") {
		s.ICAP.PassPaused = s.FailOpen
	}
	if !t.has("streams") {
		s.Web.Streams = either(s.FailOpen, []string{"text/event-stream", "application/grpc"}, []string{"text/event-stream"})
	}
}

// either returns a if first is true, else b.
func either[T any](first bool, a, b T) T {
	if first {
		return a
	}
	return b
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
