package config

import (
	"github.com/clearspan/clearspan/appliance/admission"
	"github.com/clearspan/clearspan/appliance/service/web/adapt"
)

var serviceDoors = []Door{
	{
		Key: "services[].on_failure", Open: "open",
		Passes: "sessions pass it by while it fails",
		Shut:   "`on_failure: closed` blocks them.",
		open:   services("on_failure: open", func(s Service) bool { return s.FailOpen }),
	},
	{
		Key: "services[].max_body", Of: onlyICAP, Open: "a size",
		Passes: "longer bodies pass it unseen, unless `oversize` is `closed`",
		Shut:   "`oversize: closed` blocks them.",
		open:   services("max_body", func(s Service) bool { return s.Kind == ICAP && s.ICAP.MaxBody > 0 && !s.ICAP.Oversize }),
	},
	{
		Key: "services[].foreign", Of: onlyICAP, Open: "known",
		Passes: "sessions that begin as a recognized protocol that it is not for pass it by",
		Shut:   "`foreign: block` blocks them.",
		open:   services("foreign: known", func(s Service) bool { return s.Foreign == adapt.Known }),
	},
	{
		Key: "services[].foreign", Of: onlyICAP, Open: "pass",
		Passes: "sessions of every protocol that it is not for pass it by",
		Shut:   "`foreign: known` or `block` blocks them.",
		open:   services("foreign: pass", func(s Service) bool { return s.Foreign == adapt.Pass }),
	},
	{
		Key: "services[].upgrade", Of: onlyICAP, Open: "pass",
		Passes: "WebSocket, and what follows other upgrades and CONNECT, pass it by",
		Shut:   "`upgrade: block` refuses them, `scan` shows it the messages of WebSocket.",
		open:   services("upgrade: pass", func(s Service) bool { return s.Upgrade == adapt.Pass }),
	},
	{
		Key: "services[].ranges", Of: onlyICAP, Open: "pass",
		Passes: "a client may fetch content in parts, each of which it sees alone",
		Shut:   "`ranges: whole` has origins send the whole.",
		open:   services("ranges: pass", func(s Service) bool { return s.Kind == ICAP && s.Web.Responses && !s.Whole }),
	},
	{
		Key: "services[].paused", Of: onlyICAP, Open: "pass",
		Passes: "a body without a length that pauses passes it by",
		Shut:   "`paused: hold` has it wait.",
		open:   services("paused: pass", func(s Service) bool { return s.Kind == ICAP && s.ICAP.PassPaused }),
	},
	{
		Key: "services[].streams", Of: onlyICAP, Open: "media types",
		Passes: "endless content of these media types passes it unseen",
		Shut:   "`streams: []` shows it.",
		open:   services("streams", func(s Service) bool { return s.Kind == ICAP && len(s.Web.Streams) > 0 }),
	},
	{
		Key: "services[].mode", Of: onlyICAP, Open: "one word",
		Passes: "messages of the other direction pass it unseen",
		Shut:   "Use `mode: [reqmod, respmod]`.",
		open:   services("mode", func(s Service) bool { return s.Kind == ICAP && (!s.Web.Requests || !s.Web.Responses) }),
	},
	{
		Key: "policy.rules[].services", Open: noService,
		Passes: "sessions that match pass by the services of the policy",
		Shut:   "Without the key, the services of `policy.services` see them.",
		open: func(c *Config) []string {
			if len(c.Policy.Treatment.Services) == 0 {
				return nil
			}
			return rules("services: none", func(r *Rule) bool { return r.Treatment.Services != nil && len(r.Treatment.Services) == 0 })(c)
		},
	},
}

var limitDoors = []Door{
	{
		Key: "limits.overload", Open: string(admission.Tunnel),
		Passes: "sessions pass undecrypted while there is no room",
		Shut:   "`overload: refuse` refuses them.",
		open:   when("limits.overload: tunnel", func(c *Config) bool { return c.Limits.Overload == admission.Tunnel }),
	},
}
