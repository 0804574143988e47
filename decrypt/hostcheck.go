package decrypt

import (
	"github.com/clearspan/clearspan/decrypt/policy"
	"github.com/clearspan/clearspan/decrypt/sniff"
)

// hostLimit is how much of a request is kept to find its host, in octets.
const hostLimit = 16 << 10

// hostCheck looks for the host of the first request in a bumped session of HTTP.
// Only the client's direction touches it while the session is relayed.
type hostCheck struct {
	head     []byte
	over     bool             // nothing is looked for any more
	overrule *policy.Decision // by which the session is to end, nil for none
}

// checkHost looks at what the client says inside TLS. It borrows p, which comes next,
// and returns an error if the session is to end.
func (s *session) checkHost(p []byte) error {
	h := s.host
	if h.over {
		return nil
	}
	h.head = append(h.head, p[:min(len(p), hostLimit-len(h.head))]...)
	proto, more := sniff.Client(h.head)
	if more && len(h.head) < hostLimit {
		return nil
	}
	var host string
	ok := false
	switch proto {
	case sniff.HTTP:
		host, ok, more = sniff.Host(h.head)
	case sniff.HTTP2:
		host, ok, more = sniff.Authority(h.head)
	}
	if more && len(h.head) < hostLimit {
		return nil
	}
	h.head, h.over = nil, true
	if !ok || !policy.Differ(s.account.SNI, host) {
		return nil
	}
	s.account.note(policy.SNIMismatch)
	if d := s.askAgain(); d.Action == policy.Terminate {
		h.overrule = &d
		return fail(reasonMismatch, nil, 0)
	}
	return nil
}

// overruled reports whether what was found inside ends the session.
func (s *session) overruled() bool { return s.host != nil && s.host.overrule != nil }
