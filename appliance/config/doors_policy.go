package config

import (
	"github.com/clearspan/clearspan/decrypt"
	"github.com/clearspan/clearspan/decrypt/learn"
	"github.com/clearspan/clearspan/decrypt/policy"
)

var policyDoors = []Door{
	{
		Key: "policy.mode", Open: string(Monitor),
		Passes: "every session passes undecrypted",
		Shut:   "`mode: enforce` follows the rules.",
		open:   when("policy.mode: monitor", func(c *Config) bool { return c.Policy.Mode == Monitor }),
	},
	{
		Key: "policy.default", Open: policy.Tunnel.String(),
		Passes: "sessions that no rule matches pass undecrypted",
		Shut:   "Use `bump` or `terminate`.",
		open:   when("policy.default: tunnel", func(c *Config) bool { return c.Policy.Default == policy.Tunnel }),
	},
	{
		Key: "policy.rules[].action", Open: policy.Tunnel.String(),
		Passes: "sessions that match pass undecrypted",
		Shut:   "Use `bump`, or `tunnel-check` for rules with names.",
		open:   rules("action: tunnel", func(r *Rule) bool { return r.Action == policy.Tunnel }),
	},
	{
		Key: "policy.rules[].learn", Open: string(learn.Tunnel),
		Passes: "sessions of clients that refuse the forged certificate pass undecrypted",
		Shut:   "Use `alert` or `off`.",
		open:   rules("learn: tunnel", func(r *Rule) bool { return r.Treatment.Learn == string(learn.Tunnel) }),
	},
}

var eventDoors = []Door{
	eventDoor(policy.NoSNI, "sessions without a server name pass undecrypted"),
	eventDoor(policy.SNIMismatch, "sessions whose server name differs from the CONNECT name pass undecrypted"),
	eventDoor(policy.SNIUnresolved, "sessions whose server name leads elsewhere pass undecrypted"),
	eventDoor(policy.NoSharedCipher, "sessions whose client or origin offers old ciphers only pass undecrypted"),
	eventDoor(policy.ECHRequired, "sessions of clients that insist on Encrypted Client Hello pass undecrypted"),
	eventDoor(policy.ECH, "sessions whose hello has the ECH extension pass undecrypted"),
	eventDoor(policy.LateTLS, "sessions in which TLS begins late pass undecrypted from there on"),
	eventDoor(policy.TunnelUnproven, "sessions of a rule with `tunnel` pass undecrypted wherever they go, if they claim its host name"),
}

// eventDoor is the door of an event that has sessions tunneled.
func eventDoor(e policy.Event, passes string) Door {
	key := "policy.events." + e.String()
	return Door{
		Key: key, Open: policy.Tunnel.String(), Passes: passes, Shut: "Use `log`, `bump` or `terminate`.",
		open: when(key+": tunnel", func(c *Config) bool {
			a, has := c.Policy.Events[e]
			return has && a == policy.Tunnel
		}),
	}
}

var learnDoors = []Door{
	{
		Key: "policy.learn.client_certificate.action", Open: string(learn.Tunnel),
		Passes: "sessions of origins that insist on a client certificate pass undecrypted, if DNS leads their name to the destination",
		Shut:   "Use `alert` or `off`.",
		open: when("policy.learn.client_certificate.action: tunnel", func(c *Config) bool {
			return c.Origin.ClientCertificate == decrypt.AnswerNone && c.Policy.Learn.ClientCertificate == learn.Tunnel
		}),
	},
	{
		Key: "policy.learn.pinned.action", Open: string(learn.Tunnel),
		Passes: "sessions of clients that refused the forged certificate several times pass undecrypted",
		Shut:   "Use `alert` or `off`.",
		open:   when("policy.learn.pinned.action: tunnel", func(c *Config) bool { return c.Policy.Learn.Pinned == learn.Tunnel }),
	},
	{
		Key: "policy.learn.failed_origin.action", Open: string(learn.Tunnel),
		Passes: "sessions of origins with which no handshake succeeds pass undecrypted",
		Shut:   "Use `alert` or `off`.",
		open:   when("policy.learn.failed_origin.action: tunnel", func(c *Config) bool { return c.Policy.Learn.FailedOrigin == learn.Tunnel }),
	},
}

var originDoors = []Door{
	{
		Key: "origin.client_certificate", Open: string(decrypt.TunnelRequest),
		Passes: "an origin that asks for a client certificate has its sessions pass undecrypted",
		Shut:   "Use `none` or `block`.",
		open: when("origin.client_certificate: tunnel", func(c *Config) bool {
			return c.Origin.ClientCertificate == decrypt.TunnelRequest
		}),
	},
	{
		Key: "origin.client_certificate_hosts", Open: "a list",
		Passes: "sessions of these hosts pass undecrypted if the origin asks for a client certificate",
		Shut:   "Without the key, clearspan answers that there is none.",
		open: when("origin.client_certificate_hosts", func(c *Config) bool {
			return c.Origin.ClientCertificate == decrypt.AnswerNone && len(c.Origin.ClientCertificateHosts) > 0
		}),
	},
	{
		Key: "origin.client_certificate_lists", Open: "a list",
		Passes: "sessions of the hosts in these lists pass undecrypted if the origin asks for a client certificate",
		Shut:   "Without the key, clearspan answers that there is none.",
		open: when("origin.client_certificate_lists", func(c *Config) bool {
			return c.Origin.ClientCertificate == decrypt.AnswerNone && len(c.Origin.ClientCertificateLists) > 0
		}),
	},
	{
		Key: "origin.on_invalid.default", Open: string(decrypt.PassOn),
		Passes: "sessions of origins with invalid certificates pass undecrypted",
		Shut:   "Use `untrusted` or `block`.",
		open: when("origin.on_invalid: default: tunnel", func(c *Config) bool {
			return c.Origin.OnInvalid.Default == decrypt.PassOn
		}),
	},
	{
		Key: "origin.on_invalid.REASON", Open: string(decrypt.PassOn),
		Passes: "sessions of origins whose certificate is invalid for this reason pass undecrypted",
		Shut:   "Use `untrusted` or `block`.",
		open: func(c *Config) (places []string) {
			for _, reason := range reasons {
				if c.Origin.OnInvalid.ByReason[string(reason)] == decrypt.PassOn {
					places = append(places, "origin.on_invalid: "+string(reason)+": tunnel")
				}
			}
			return places
		},
	},
}
