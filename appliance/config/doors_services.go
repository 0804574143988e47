package config

import "github.com/clearspan/clearspan/appliance/admission"

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
		Key: "services[].streams", Of: onlyICAP, Open: "text/event-stream",
		Passes: "endless responses of these media types pass it unseen",
		Shut:   "`streams: []` shows them, late.",
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
