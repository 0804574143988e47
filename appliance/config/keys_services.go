package config

import (
	"github.com/clearspan/clearspan/appliance/service/icap"
	"github.com/clearspan/clearspan/appliance/service/web/adapt"
)

// Kinds of a service.
var (
	onlyICAP   = []string{string(ICAP)}
	onlyInline = []string{string(Inline)}
)

var serviceKeys = []Key{
	{
		Path: "services", Type: TypeTables, Absent: "none",
		Doc: "Devices that may change or block decrypted and plain sessions. Rules choose the services of a session.",
	},
	{
		Path: "services[].name", Type: TypeName, Required: true,
		Doc: "The name of the service in rules, metrics and audit entries. Names are unique among services. `none` is reserved.",
	},
	{
		Path: "services[].kind", Type: TypeWord, Required: true, Words: []Choice{
			{string(ICAP), "Servers that speak ICAP (RFC 3507). They see web messages and mail."},
			{string(Inline), "A device between two network interfaces. It sees the cleartext as TCP."},
		},
		Doc: "How clearspan reaches the service.",
	},
	{
		Path: "services[].timeout", Type: TypeDuration, Min: "100ms", Max: "1h", DefaultOf: map[string]string{string(ICAP): "30s", string(Inline): "3s"}, Example: "5s",
		Doc: "Kind `icap`: the time for the next octets, and for the whole header of an answer. Kind `inline`: the time for a connection through the device.",
	},
	{
		Path: "services[].on_failure", Field: "FailOpen=open", Type: TypeWord, Default: "closed", Example: "open", Words: []Choice{
			{"open", "The content passes. An inline device that has seen part of a session ends it."},
			{"closed", "clearspan blocks the content."},
		},
		Doc: "The reaction if the service fails.",
	},
	{
		Path: "services[].url", Type: TypeURL, List: true, Required: true, Of: onlyICAP, Example: "icap://127.0.0.1:1344/avscan",
		Doc: "The ICAP service. `icaps` uses TLS. The default ports are 1344 and 11344.",
	},
	{
		Path: "services[].urls", Type: TypeURL, List: true, Of: onlyICAP, Absent: "none", Example: "[icap://192.0.2.1/avscan, icap://192.0.2.2/avscan]", Instead: "url",
		Doc: "Up to 16 servers of the same service, in place of `url`. clearspan asks the server with the fewest open requests.",
	},
	{
		Path: "services[].mode", Type: TypeWord, List: true, Of: onlyICAP, Default: "[reqmod, respmod]", Example: "[reqmod]", Words: []Choice{
			{string(icap.REQMOD), "The service sees requests."},
			{string(icap.RESPMOD), "The service sees responses, and mail."},
		},
		Doc: "Which messages the service sees.",
	},
	{
		Path: "services[].roots", Type: TypeFile, List: true, Of: onlyICAP, Words: []Choice{{"system", "The roots of the system."}}, Default: "[system]", Example: "[extra.pem]",
		Doc: "The trusted roots for `icaps` servers: PEM files, and the word `system`.",
	},
	{
		Path: "services[].max_body", Type: TypeSize, Of: onlyICAP, Default: "0", Example: "10MiB",
		Doc: "The longest body that the service sees, 0 for no limit.",
	},
	{
		Path: "services[].oversize", Field: "Oversize=closed", Type: TypeWord, Of: onlyICAP, Default: "open", Example: "closed", Words: []Choice{
			{"open", "They pass. The service does not see them."},
			{"closed", "clearspan blocks them."},
		},
		Doc: "The treatment of messages longer than `max_body`.",
	},
	{
		Path: "services[].replay", Type: TypeSize, Of: onlyICAP, Min: "1KiB", Max: "1MiB", Default: "64KiB", Example: "128KiB",
		Doc: "How much of a body clearspan keeps until the service has decided. If the service fails, the kept part can still pass.",
	},
	{
		Path: "services[].preview", Type: TypeSize, Of: onlyICAP, Max: "1MiB", Default: "auto", Example: "4KiB", Words: []Choice{
			{"auto", "The size that the service asks for."},
			{"off", "No preview."},
		},
		Doc: "How much of a body the service gets before it decides whether it needs the rest. A size is the upper limit.",
	},
	{
		Path: "services[].foreign", Type: TypeWord, Of: onlyICAP, Absent: "`known` if `on_failure` is `closed`, else `pass`", Example: string(adapt.Block), Words: []Choice{
			{string(adapt.Known), "Protocols that clearspan recognizes pass beside the service. Others are blocked."},
			{string(adapt.Pass), "They pass."},
			{string(adapt.Block), "clearspan blocks them."},
		},
		Doc: "Sessions that are not HTTP, or mail that the service sees. The octets decide, not the ALPN protocol.",
	},
	{
		Path: "services[].upgrade", Type: TypeWord, Of: onlyICAP, Absent: "`block` if `on_failure` is `closed`, else `pass`", Example: string(adapt.Pass), Words: []Choice{
			{string(adapt.Block), "clearspan refuses the upgrade."},
			{string(adapt.Scan), "The service sees each message of WebSocket. clearspan refuses the rest."},
			{string(adapt.Pass), "The octets behind it pass unseen."},
		},
		Doc: "WebSocket and other upgrades, and CONNECT inside of a session.",
	},
	{
		Path: "services[].ranges", Field: "Whole=whole", Type: TypeWord, Of: onlyICAP, Absent: "`whole` if `on_failure` is `closed`, else `pass`", Example: "pass", Words: []Choice{
			{"whole", "clearspan removes `Range` and `If-Range`. The service sees the whole content."},
			{"pass", "The service sees each part alone."},
		},
		Doc: "Requests for a part of the content, if the service sees responses.",
	},
	{
		Path: "services[].paused", Field: "PassPaused=pass", Type: TypeWord, Of: onlyICAP, Absent: "`hold` if `on_failure` is `closed`, else `pass`", Example: "pass", Words: []Choice{
			{"hold", "It waits for the service."},
			{"pass", "It passes, and the service does not see the rest."},
		},
		Doc: "A body without a length that pauses while the service has all of it and does not answer.",
	},
	{
		Path: "services[].streams", Type: TypeMedia, List: true, Empty: true, Of: onlyICAP, Absent: "`[text/event-stream]`, and `application/grpc` if `on_failure` is `open`", Example: "[video/mp4]",
		Doc: "Media types of endless content. The service does not see a response without a length whose request asks for the type, and no gRPC. `[]` means none.",
	},
	{
		Path: "services[].connections", Type: TypeNumber, Of: onlyICAP, Min: "1", Max: "10000", Default: "64", Example: "10",
		Doc: "The largest number of connections to each server. The service may ask for fewer.",
	},
	{
		Path: "services[].queue", Type: TypeNumber, Of: onlyICAP, Min: "1", Max: "100000", Default: "1024", Example: "100",
		Doc: "How many messages may wait for a connection to each server. More fail with reason `overload`.",
	},
	{
		Path: "services[].tell", Type: TypeWord, List: true, Empty: true, Of: onlyICAP, Words: choices(icap.ClientIP, icap.ClientPort, icap.ServerIP, icap.User), Default: "[client-ip, client-port, server-ip, user]", Example: "[client-ip]",
		Doc: "The ICAP fields `X-Client-IP`, `X-Client-Port`, `X-Server-IP` and `X-Authenticated-User`. `[]` means none. No intake knows users yet.",
	},
	{
		Path: "services[].user", Field: "PlainUser=plain", Type: TypeWord, Of: onlyICAP, Default: "base64", Example: "plain", Words: []Choice{
			{"base64", "`Local://USER` in Base64."},
			{"plain", "The name as it is."},
		},
		Doc: "How `X-Authenticated-User` is written.",
	},
	{
		Path: "services[].legs", Type: TypeLegs, Required: true, Of: onlyInline, Example: "[chain0, chain1]",
		Doc: "The two interfaces to the device. The first one faces the clients.",
	},
	{
		Path: "services[].port", Type: TypePort, Of: onlyInline, Absent: "the port of the protocol in clear: 80 for 443, 25 for 465", Example: "80",
		Doc: "The origin's port as the device sees it.",
	},
	{
		Path: "services[].vlan", Type: TypeNumber, Of: onlyInline, Min: "0", Max: "4094", Default: "0", Example: "7",
		Doc: "The VLAN identifier on both legs, 0 for no tag.",
	},
	{
		Path: "services[].probe", Type: TypeDuration, Of: onlyInline, Min: "100ms", Max: "1h", Words: []Choice{{"off", "Never."}}, Default: "2s", Example: "10s",
		Doc: "How often clearspan tests the device while no session uses it.",
	},
	{
		Path: "services[].hops", Type: TypeTables, Of: onlyInline, Absent: "the device is a bridge",
		Example: "[{leg: chain0, address: 10.9.0.2/30, gateway: 10.9.0.1}, {leg: chain1, address: 10.9.1.2/30, gateway: 10.9.1.1}]",
		Doc:     "Addresses for a device that routes: one of each IP version on each leg. Both legs need the same IP versions.",
	},
	{
		Path: "services[].hops[].leg", Type: TypeInterface, Required: true, Example: "chain0",
		Doc: "The leg, one of `legs`.",
	},
	{
		Path: "services[].hops[].address", Type: TypeHostPrefix, Required: true, Example: "10.9.0.2/30",
		Doc: "The address of clearspan on the leg.",
	},
	{
		Path: "services[].hops[].gateway", Type: TypeAddress, Required: true, Example: "10.9.0.1",
		Doc: "The address of the device on the leg, in the same network.",
	},
}
