package decrypt

import (
	"github.com/clearspan/clearspan/decrypt/clienthello"
	"github.com/clearspan/clearspan/decrypt/internal/handshake"
	"github.com/clearspan/clearspan/decrypt/policy"
)

// Events returns what was remarkable about the session so far. Safe for
// concurrent use.
func (s *Session) Events() policy.Events { return policy.Events(s.events.Load()) }

func (s *Session) note(e policy.Event) {
	s.events.Or(uint32(policy.Events(0).With(e)))
}

// helloEvents notes what is remarkable about the hello by itself.
func (d *decision) helloEvents() {
	if d.hello.Name != clienthello.NameUsable {
		d.account.note(policy.NoSNI)
	}
	if d.hello.ECH {
		d.hides()
	}
	name := d.account.Name
	if l := d.account.Late; l != nil && l.Connect != "" {
		name = l.Connect
	}
	if policy.Differ(name, d.hello.ServerName) {
		d.account.note(policy.SNIMismatch)
	}
	if !canAnswer(d.hello, d.engine.cfg.Client.MinTLS, d.showsOwn()) {
		d.account.note(policy.NoSharedCipher)
	}
}

// showsOwn reports whether the client may be shown a certificate of the origin's own.
func (d *decision) showsOwn() bool {
	return d.in.Own != nil && len(d.in.Own(d.serverName(), true)) > 0
}

// refusesCiphers tells whether an origin has answered with an alert that says that
// nothing in our hello suits it.
func refusesCiphers(err error) bool {
	return handshake.Answers(err, handshake.AlertHandshakeFailure, handshake.AlertProtocolVersion, handshake.AlertInsufficientSecurity)
}
