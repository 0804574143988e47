package policy

import (
	"fmt"
	"slices"
	"strings"
)

// Request is a request of HTTP within a session, as rules by method, by path and by lists of
// URLs compare it. The zero value is a request of which nothing is known.
type Request struct {
	Host   string // that the request names; "" if it names none
	Method string // in the client's spelling: methods are compared exactly
	Doubt  bool   // servers may take the path for different ones, see SetTarget

	path []byte // canonical
}

// SetTarget takes the path of a request target, with its query. What is compared is the
// canonical path: without query and fragment, every octet that is percent-encoded decoded
// once, letters in lower case, empty and dot segments resolved (RFC 3986, Section 6.2).
//
// The path is in doubt if servers may read another one: a broken percent-encoding, an
// encoded slash, a backslash, a control octet, an octet that is encoded twice, parameters
// in a segment, or dot segments above the root. It reuses memory of earlier calls.
func (r *Request) SetTarget(target []byte) {
	r.path, r.Doubt = canonicalPath(r.path[:0], target)
}

// Path returns the canonical path, valid until the next SetTarget.
func (r *Request) Path() []byte { return r.path }

// canonicalPath appends the canonical form of a path to b.
func canonicalPath(b, target []byte) (path []byte, doubt bool) {
	b = append(b, '/')
	for i := 0; i < len(target); i++ {
		c := target[i]
		if c == '?' || c == '#' {
			break
		}
		encoded := false
		if c == '%' {
			var ok bool
			if c, ok = unescape(target[i:]); !ok {
				doubt = true
			} else {
				encoded = true
				i += 2
			}
		}
		switch {
		case c == '/' && !encoded:
			var above bool
			b, above = closeSegment(b)
			doubt = doubt || above
			if b[len(b)-1] != '/' {
				b = append(b, '/')
			}
			continue
		case c == '/' || c == '\\' || c < ' ' || c == 0x7f || c == ';' && !encoded,
			c == '%' && encoded && i+2 < len(target) && isHex(target[i+1]) && isHex(target[i+2]):
			doubt = true
		case c >= 'A' && c <= 'Z':
			c += 'a' - 'A'
		}
		b = append(b, c)
	}
	b, above := closeSegment(b)
	return b, doubt || above
}

// closeSegment resolves the last segment of b if it is a dot segment. above tells that it
// leads above the root.
func closeSegment(b []byte) (path []byte, above bool) {
	at := len(b)
	for b[at-1] != '/' {
		at--
	}
	switch string(b[at:]) {
	case ".":
		return b[:at], false
	case "..":
		if at == 1 {
			return b[:1], true
		}
		at--
		for b[at-1] != '/' {
			at--
		}
		return b[:at], false
	}
	return b, false
}

// unescape decodes the percent-encoding that p begins with.
func unescape(p []byte) (byte, bool) {
	if len(p) < 3 || !isHex(p[1]) || !isHex(p[2]) {
		return '%', false
	}
	return hexValue(p[1])<<4 | hexValue(p[2]), true
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

func hexValue(c byte) byte {
	switch {
	case c <= '9':
		return c - '0'
	case c <= 'F':
		return c - 'A' + 10
	}
	return c - 'a' + 10
}

// requestCondition is a rule's condition on the requests of a session.
type requestCondition struct {
	path   []string // patterns in canonical form
	method []string
}

func newRequestCondition(r *Rule) (c requestCondition, err error) {
	for _, p := range r.Path {
		pattern, err := pathPattern(p)
		if err != nil {
			return c, err
		}
		c.path = append(c.path, pattern)
	}
	c.method = slices.Clone(r.Method)
	for _, m := range c.method {
		if m == "" || strings.ContainsFunc(m, func(c rune) bool { return c <= ' ' || c >= 0x7f }) {
			return c, fmt.Errorf("method %q is not the name of a method", m)
		}
	}
	return c, nil
}

// CheckPath returns why a pattern cannot stand in [Rule.Path], or nil.
func CheckPath(pattern string) error {
	_, err := pathPattern(pattern)
	return err
}

// pathPattern returns a pattern in canonical form.
func pathPattern(p string) (string, error) {
	if !strings.HasPrefix(p, "/") && !strings.HasPrefix(p, "*") {
		return "", fmt.Errorf("path %q does not begin with / or *", p)
	}
	canonical, doubt := canonicalPath(nil, []byte(p))
	if strings.HasPrefix(p, "*") {
		canonical = canonical[1:]
	}
	if doubt || strings.ContainsAny(p, "?#") {
		return "", fmt.Errorf("path %q is not a path without query, or servers may read it as another path", p)
	}
	return string(canonical), nil
}

func (c *requestCondition) asks() bool { return len(c.path)+len(c.method) > 0 }

// mismatch compares a request. A path in doubt meets the conditions of rules that terminate.
func (c *requestCondition) mismatch(r *Request, action Action) condition {
	switch {
	case r == nil:
		return onRequest
	case len(c.method) > 0 && !slices.Contains(c.method, r.Method):
		return onMethod
	case len(c.path) == 0, r.Doubt && action == Terminate:
		return matched
	}
	for _, p := range c.path {
		if glob(p, r.path) && !r.Doubt {
			return matched
		}
	}
	return onPath
}

// glob reports whether a pattern stands for s: "*" for octets of any kind and number.
func glob(pattern string, s []byte) bool {
	p, i := 0, 0
	star, mark := -1, 0
	for i < len(s) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, i
			p++
		case p < len(pattern) && pattern[p] == s[i]:
			p++
			i++
		case star >= 0:
			mark++
			p, i = star+1, mark
		default:
			return false
		}
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}

// Need is what of requests can change a decision on their session.
type Need uint8

const (
	// NeedsNothing: no request can.
	NeedsNothing Need = iota
	// NeedsHost: a request to another host can.
	NeedsHost
	// NeedsRequest: every request can, by its host, its method and its path.
	NeedsRequest
)

// Requests tells what of the requests within a session can change what [Table.Decide] says
// of the session's facts. It may say more than is needed. It allocates nothing, and its cost
// does not grow with the number of rules.
func (t *Table) Requests(f *Facts) Need {
	if t.monitor {
		return NeedsNothing
	}
	need := t.need
	if _, ok := t.events[SNIMismatch]; ok && f.SNI != "" {
		need = max(need, NeedsHost)
	}
	var s subject
	s.set(f, false)
	for _, number := range t.guarded {
		r := &t.rules[number]
		if n := r.need(); n > need && !r.excluded(&s) {
			need = n
		}
	}
	return need
}

// need is what a rule needs of requests.
func (r *rule) need() Need {
	switch {
	case r.byRequest():
		return NeedsRequest
	case r.named:
		return NeedsHost
	}
	return NeedsNothing
}

// byRequest reports whether the rule has a condition on requests.
func (r *rule) byRequest() bool {
	return r.urls || r.conditions != nil && r.conditions.request.asks()
}

// maxGuarded is how many rules are looked at to find that a session needs nothing.
const maxGuarded = 64

// survey notes what the rules need of requests.
func (t *Table) survey() {
	for i := range t.rules {
		r := &t.rules[i]
		need := r.need()
		if need <= t.need {
			continue
		}
		if c := r.conditions; c == nil || len(c.intake)+len(c.port)+len(c.origin)+len(c.client) == 0 || len(t.guarded) >= maxGuarded {
			t.need = need
			continue
		}
		t.guarded = append(t.guarded, uint32(i))
	}
}

// checkRequest returns why a rule with conditions on requests cannot be kept: it is asked
// when a session runs, which cannot be tunneled, mirrored or served in another way then.
func (r *rule) checkRequest() error {
	switch {
	case !r.byRequest():
	case r.action != Terminate && r.action != Bump:
		return fmt.Errorf("path, method and lists of URLs need action bump or terminate: a request is known within a session")
	case r.own != nil:
		return fmt.Errorf("path, method and lists of URLs exclude mirror, content, alpn_offer, learn, services and proxy: they hold for a session")
	}
	return nil
}
