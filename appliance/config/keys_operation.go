package config

import "github.com/clearspan/clearspan/appliance/admission"

var operationKeys = []Key{
	{
		Path: "audit", Type: TypeTable,
		Doc: "The audit log: one JSON object for each session.",
	},
	{
		Path: "audit.file", Type: TypePath, Words: []Choice{{"stdout", "Standard output."}}, Default: "sessions.jsonl", Example: "stdout",
		Doc: "The file of the audit log. A relative path starts at STATE.",
	},
	{
		Path: "audit.facts", Type: TypeBool, Default: "true", Example: "false",
		Doc: "Entries of decrypted and plain sessions hold requests and mail: method, host, path, status, sender, recipients, subject. This does not depend on mirrors.",
	},
	{
		Path: "audit.queries", Type: TypeBool, Default: "false", Example: "true",
		Doc: "The paths of requests include their queries. Queries can hold tokens and passwords.",
	},
	{
		Path: "admin", Type: TypeTable,
		Doc: "The HTTP server for health checks, metrics and learned entries.",
	},
	{
		Path: "admin.listen", Type: TypeListen, Words: []Choice{{"off", "No server."}}, Default: "127.0.0.1:8090", Example: "127.0.0.1:18090",
		Doc: "The address of the server. Everybody with access to it can read metrics and learned entries. Changes need the loopback address.",
	},
	{
		Path: "admin.ready", Type: TypeTable,
		Doc: "The parts without which `/readyz` answers 503, beside the intakes.",
	},
	{
		Path: "admin.ready.mirrors", Type: TypeReference, List: true, Absent: "no mirror", Example: "interface",
		Doc: "Mirrors that must not be down.",
	},
	{
		Path: "admin.ready.services", Type: TypeReference, List: true, Absent: "no service", Example: "icap",
		Doc: "Services that must not be down.",
	},
	{
		Path: "limits", Type: TypeTable,
		Doc: "The resources that clearspan takes from its machine.",
	},
	{
		Path: "limits.sessions", Type: TypeNumber, Min: "1", Max: "10000000", Default: "100000", Example: "10",
		Doc: "The largest number of open sessions. clearspan resets further connections.",
	},
	{
		Path: "limits.memory", Type: TypeSize, Min: "64MiB", Words: []Choice{{"0", "The limits of the control group and the machine hold."}}, Default: "0", Example: "512MiB",
		Doc: "The memory that the process may take.",
	},
	{
		Path: "limits.pending", Type: TypeNumber, Min: "1", Max: "10000000", Words: []Choice{{"0", "There is no limit."}}, Default: "0", Example: "200",
		Doc: "How many sessions without a complete handshake or any data one client address may have. An IPv6 /64 counts as one address. clearspan resets more.",
	},
	{
		Path: "limits.overload", Type: TypeWord, Default: string(admission.Refuse), Example: string(admission.Tunnel), Words: []Choice{
			{string(admission.Refuse), "clearspan resets new connections."},
			{string(admission.Tunnel), "clearspan tunnels new sessions that it would decrypt, as long as there is room for that."},
		},
		Doc: "The reaction if memory or file descriptors run short.",
	},
}
