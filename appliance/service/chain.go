package service

import (
	"fmt"
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
	// Mail stands in the way of sessions that are SMTP, IMAP or POP3.
	Mail decrypt.Service
	// Session stands in the way of every session, whatever it carries.
	Session decrypt.Service

	// FailOpen lets pass what a failing service should have seen.
	FailOpen bool

	// Foreign is what becomes of sessions of other protocols than the member is for.
	Foreign adapt.Passage
	// Upgrade is what becomes of what follows a granted WebSocket or CONNECT.
	Upgrade adapt.Passage
	// Whole has origins answer requests for ranges with the whole.
	Whole bool
}

// Options configures a [Chain].
type Options struct {
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
// members with the given names, which must exist. It is nil if none of them looks at
// s. Members that s passes beside are noted in it.
//
// All that was decrypted is read by the engine for HTTP, whatever protocol its ends
// agreed on: it is they who say that. Plain sessions of a known protocol are not.
func (c *Chain) Services(s *decrypt.Session, names []string) (list []decrypt.Service) {
	isMail := mail.Speaks(s)
	beside := isForeign(s)
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
		case m.Mail != nil && m.Web != nil && mail.MayGreet(s):
			flush()
			list = append(list, mail.Either(m.Mail, c.engine([]string{name})))
		case m.Web != nil && beside && m.Foreign != adapt.Block:
			c.bypass(s, name)
		case m.Web != nil:
			pending = append(pending, name)
		case m.Session != nil && (s.Protocol != protocolData || s.ClientTLS.Version != 0):
			flush()
			list = append(list, m.Session)
		}
	}
	flush()
	return list
}

// bypass notes, once, that a session passes beside a member.
func (c *Chain) bypass(s *decrypt.Session, name string) {
	if s.Services()[name] != "" {
		return
	}
	s.Served(name, adapt.WordBypassed)
	if c.opts.Observe != nil {
		c.opts.Observe(name, adapt.WordBypassed, 0)
	}
}

// protocolData is the word for a data connection of FTP. Without TLS, devices do not see
// it.
const protocolData = "ftp-data"

// isForeign reports whether s is a plain session that began as a known protocol other
// than HTTP, or one that FTP announced.
func isForeign(s *decrypt.Session) bool {
	switch s.Protocol {
	case "", "tls", "http", "http2":
		return false
	case protocolData:
		return true // decrypted, too: a file may begin like anything
	}
	return s.ALPN == "" && s.ClientTLS.Version == 0
}

// engine returns the one that members share.
func (c *Chain) engine(names []string) decrypt.Service {
	key := strings.Join(names, "\x00")
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.engines[key]; e != nil {
		return e
	}
	cfg := adapt.Config{Stall: c.opts.Stall, User: c.opts.User, Observe: c.opts.Observe}
	for _, name := range names {
		m := c.members[name]
		w := *m.Web
		w.Name, w.FailOpen, w.WebSocket = name, m.FailOpen, m.Upgrade == adapt.Scan
		cfg.Services = append(cfg.Services, w)
		cfg.Foreign = adapt.Stricter(cfg.Foreign, m.Foreign)
		cfg.Upgrade = adapt.Stricter(cfg.Upgrade, m.Upgrade)
		cfg.Whole = cfg.Whole || m.Whole
		if m.Mail != nil {
			cfg.Own = []string{"smtp", "imap", "pop3"}
		}
	}
	e := web.New(cfg)
	c.engines[key] = e
	return e
}
