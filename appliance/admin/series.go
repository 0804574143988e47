package admin

import (
	"github.com/clearspan/clearspan/certs"
	"github.com/clearspan/clearspan/decrypt"
	"github.com/clearspan/clearspan/decrypt/learn"
	"github.com/clearspan/clearspan/decrypt/policy"
)

// Series whose labels are known from the start are there before the first event, at
// zero: a rate has a first value then, and an alert something to compare with.

// noAction stands for the action of a session that the policy was not asked about.
const noAction = "none"

// dialogues are the protocols in which a session may turn to TLS.
var dialogues = []string{"ftp", "imap", "ldap", "mysql", "pop3", "postgresql", "smtp", "xmpp"}

// foresee adds the series that depend on no configuration.
func (m *Metrics) foresee() {
	actions := []string{noAction}
	for a := policy.Bump; a <= policy.Terminate; a++ {
		actions = append(actions, a.String())
		m.monitored.WithLabelValues(a.String())
		m.requests.WithLabelValues(a.String())
	}
	for _, action := range actions {
		for o := decrypt.Failed; o <= decrypt.Terminated; o++ {
			m.sessions.WithLabelValues(action, o.String())
		}
	}
	for a := policy.Bump; a <= policy.Terminate; a++ {
		for _, o := range []decrypt.Outcome{decrypt.Tunneling, decrypt.Terminated} {
			m.quic.WithLabelValues(a.String(), o.String())
		}
	}
	for _, leg := range legs {
		for _, kind := range kinds {
			m.finished.WithLabelValues(leg, kind)
		}
		for _, result := range results {
			m.handshakes.WithLabelValues(leg, result)
		}
	}
	for _, protocol := range dialogues {
		for s := decrypt.StartTLSOffered; s <= decrypt.StartTLSStripped; s++ {
			m.startTLS.WithLabelValues(m.protocols.bound(protocol), s.String())
		}
	}
	m.verdicts.WithLabelValues(m.reasons.bound("ok"))
	for _, reason := range certs.Reasons() {
		m.verdicts.WithLabelValues(m.reasons.bound(string(reason)))
	}
	for _, status := range []string{certs.StatusGood, certs.StatusRevoked, certs.StatusUnknown} {
		m.revocation.WithLabelValues(m.statuses.bound(status))
	}
	for e := policy.NoSNI; e <= policy.TunnelUnproven; e++ {
		m.events.WithLabelValues(e.String())
	}
	for e := decrypt.ECHOffered; e <= decrypt.ECHInsisted; e++ {
		m.ech.WithLabelValues(e.String())
	}
	for _, cause := range decrypt.Causes {
		m.bypassed.WithLabelValues(string(cause))
	}
	for _, lesson := range learn.Lessons {
		if lesson != learn.NarrowOffer { // which tunnels nothing
			m.recalled.WithLabelValues(string(lesson))
		}
	}
}

// Intake adds the series of an intake by its name. refusals are the words that Refused
// may be given.
func (m *Metrics) Intake(name string, refusals []string) {
	name = m.intakes.bound(name)
	m.open.WithLabelValues(name)
	for _, reason := range refusals {
		m.refusals.WithLabelValues(name, m.refused.bound(reason))
	}
}

// Service adds the series of a service by its name. results are the words that Served
// may be given.
func (m *Metrics) Service(name string, results []string) {
	for _, result := range results {
		m.services.WithLabelValues(name, result)
	}
}
