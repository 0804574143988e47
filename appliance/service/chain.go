package service

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/clearspan/clearspan/appliance/service/mail"
	"github.com/clearspan/clearspan/appliance/service/web"
	"github.com/clearspan/clearspan/appliance/service/web/adapt"
	"github.com/clearspan/clearspan/decrypt"
)

// Member is one service of the configuration. What it cannot look at is nil.
type Member struct {
	Name string

	// Web is how it looks at HTTP. Its name, and whether it fails open, are set
	// from the member.
	Web *adapt.Service
	// Mail stands in the way of sessions that are SMTP.
	Mail decrypt.Service
	// Session stands in the way of every session, whatever it carries.
	Session decrypt.Service

	// FailOpen lets pass what a failing service should have seen. A session that
	// turns out not to be HTTP, though nothing else was known of it, passes by it
	// too.
	FailOpen bool
}

// Options configures a [Chain].
type Options struct {
	Upgrade adapt.Passage                 // what follows a granted WebSocket or CONNECT
	Stall   time.Duration                 // see [adapt.Config]
	User    func(*decrypt.Session) string // who the client is; nil: nobody knows
	Observe func(service, word string, took time.Duration)
}

// Chain chooses the services of sessions. It is safe for concurrent use.
type Chain struct {
	members map[string]Member
	opts    Options

	mu      sync.Mutex
	engines map[string]decrypt.Service // by the names of members, one for each order that rules ask for
}

// NewChain returns a chain of members, which have distinct names.
func NewChain(members []Member, opts Options) (*Chain, error) {
	c := &Chain{members: make(map[string]Member, len(members)), opts: opts, engines: make(map[string]decrypt.Service)}
	for _, m := range members {
		if _, ok := c.members[m.Name]; ok || m.Name == "" {
			return nil, fmt.Errorf("build service chain: name %q is not unique", m.Name)
		}
		c.members[m.Name] = m
	}
	return c, nil
}

// Services returns what stands in the way of s, in order from the client: the
// members with the given names, which must exist. It is nil if none of them can
// look at s.
func (c *Chain) Services(s *decrypt.Session, names []string) (list []decrypt.Service) {
	isMail := mail.Speaks(s)
	http := mayBeHTTP(s)
	var pending []string // members that look at HTTP, side by side
	flush := func() {
		if len(pending) > 0 {
			list = append(list, c.engine(pending))
			pending = nil
		}
	}
	for _, name := range names {
		switch m := c.members[name]; {
		case isMail && m.Mail != nil:
			flush()
			list = append(list, m.Mail)
		case http && m.Web != nil:
			pending = append(pending, name)
		case m.Session != nil:
			flush()
			list = append(list, m.Session)
		}
	}
	flush()
	return list
}

// mayBeHTTP reports whether s is HTTP, or nothing tells what it carries: TLS without a
// word about that, or a plain session that did not begin as any known protocol. The
// engine for HTTP reads on, and what is not HTTP passes it or not as [web.Passage]
// says.
func mayBeHTTP(s *decrypt.Session) bool {
	switch s.ALPN {
	case "h2", "http/1.1", "http/1.0":
		return true
	case "":
		return s.Protocol == "http" || s.Protocol == "http2" || s.Protocol == "tls" || s.Protocol == ""
	}
	return false
}

// engine returns the one that members share.
func (c *Chain) engine(names []string) decrypt.Service {
	key := strings.Join(names, "\x00")
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.engines[key]; e != nil {
		return e
	}
	cfg := adapt.Config{Upgrade: c.opts.Upgrade, Stall: c.opts.Stall, User: c.opts.User, Observe: c.opts.Observe}
	for _, name := range names {
		m := c.members[name]
		w := *m.Web
		w.Name, w.FailOpen = name, m.FailOpen
		cfg.Services = append(cfg.Services, w)
	}
	if slices.ContainsFunc(cfg.Services, func(w adapt.Service) bool { return !w.FailOpen }) {
		cfg.Foreign = adapt.Block
	}
	e := web.New(cfg)
	c.engines[key] = e
	return e
}
