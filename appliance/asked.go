package appliance

import (
	"cmp"
	"time"

	"github.com/clearspan/clearspan/appliance/exceptions"
	"github.com/clearspan/clearspan/decrypt"
)

// askedFor keeps what a user asks for on the page about s, and reports whether it could.
func (a *Appliance) askedFor(s *decrypt.Session, reason string) bool {
	host := cmp.Or(s.SNI, s.Host, s.Name)
	if host == "" {
		host = s.Origin.Addr().Unmap().String()
	}
	err := a.asked.Add(exceptions.Request{
		Time: time.Now(), Client: s.Client.Addr().Unmap().String(), Host: host,
		Rule: s.Decision.Rule, Cause: s.Reason, Session: s.ID, Reason: reason,
	})
	if err != nil {
		a.log.Warn("request for an exception not kept", "host", host, "err", err)
		return false
	}
	a.log.Info("exception asked for", "host", host, "rule", s.Decision.Rule, "session", s.ID)
	return true
}
