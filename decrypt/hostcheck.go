package decrypt

import (
	"github.com/clearspan/clearspan/decrypt/policy"
	"github.com/clearspan/clearspan/decrypt/sniff"
)

// hostLimit is how much of a request is kept to find its host, in octets.
const hostLimit = 16 << 10

// hostCheck looks for the host of the first request: in a bumped session of HTTP, and
// in a plain one whose client was too slow to tell its protocol. Only the client's
// direction touches it while the session is relayed.
type hostCheck struct {
	head     []byte
	over     bool             // nothing is looked for any more
	plain    *policy.Facts    // what is known of a plain session; nil: it is bumped
	overrule *policy.Decision // by which the session is to end, nil for none
}

// checkHost looks at what the client says. It borrows p, which comes next, and returns
// an error if the session is to end.
func (s *session) checkHost(p []byte) error {
	h := s.host
	if h.over {
		return nil
	}
	h.head = append(h.head, p[:min(len(p), hostLimit-len(h.head))]...)
	proto, more := sniff.Client(h.head)
	var host string
	var doubt bool
	switch proto {
	case sniff.HTTP:
		host, doubt, more = sniff.Host(h.head)
	case sniff.HTTP2:
		host, doubt, more = sniff.Authority(h.head)
	}
	if more && len(h.head) < hostLimit {
		return nil
	}
	h.head, h.over = nil, true
	switch {
	case h.plain != nil && (proto == sniff.HTTP || proto == sniff.HTTP2):
		h.plain.Protocol, h.plain.HostDoubt = proto.String(), doubt
		if host != "" {
			h.plain.Host = host
		}
		return s.overrule(s.engine.cfg.Policy.Decide(h.plain), reasonPolicy)
	case h.plain == nil && (doubt || policy.Differ(s.account.SNI, host)):
		s.account.note(policy.SNIMismatch)
		return s.overrule(s.askAgain(), reasonMismatch)
	}
	return nil
}

// overrule returns an error for reason if the session is to end by d.
func (s *session) overrule(d policy.Decision, reason string) error {
	if d.Action != policy.Terminate {
		return nil
	}
	s.host.overrule = &d
	return fail(reason, nil, 0)
}

// overruled reports whether what was found ends the session.
func (s *session) overruled() bool { return s.host != nil && s.host.overrule != nil }

// heed notes what ends the session if it is overruled.
func (s *session) heed() {
	if !s.overruled() {
		return
	}
	s.account.Decision = *s.host.overrule
	if f := s.host.plain; f != nil {
		s.account.Protocol, s.account.Host = f.Protocol, f.Host
	}
}
