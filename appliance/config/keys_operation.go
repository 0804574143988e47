package config

import (
	"github.com/clearspan/clearspan/appliance/admission"
	"github.com/clearspan/clearspan/appliance/export"
)

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
		Path: "audit.rotate", Type: TypeTable,
		Doc: "When the file ends and a new one begins. The old one gets the time in its name: `sessions-20261201T093000-123456789Z.jsonl`.",
	},
	{
		Path: "audit.rotate.size", Type: TypeSize, Min: "64KiB", Words: []Choice{{"0", "There is no limit."}}, Default: "0", Example: "256MiB",
		Doc: "The size at which the file ends.",
	},
	{
		Path: "audit.rotate.every", Type: TypeDuration, Min: "1m", Max: "8784h", Words: []Choice{{"0", "Never."}}, Default: "0", Example: "24h",
		Doc: "The file ends at multiples of this time in UTC, when the next entry is written.",
	},
	{
		Path: "audit.rotate.keep", Type: TypeNumber, Min: "1", Max: "1000000", Words: []Choice{{"0", "All."}}, Default: "90", Example: "365",
		Doc: "How many old files clearspan keeps. It removes the oldest, also if an output has not sent it, and counts its entries as lost.",
	},
	{
		Path: "audit.rotate.compress", Field: "Compress=zstd", Type: TypeWord, Default: "zstd", Example: "off", Words: []Choice{
			{"zstd", "clearspan compresses old files by Zstandard, in the background. Their names end in `.zst`."},
			{"off", "Old files stay as they are."},
		},
		Doc: "The compression of old files.",
	},
	{
		Path: "audit.interim", Type: TypeDuration, Min: "10s", Max: "24h", Words: []Choice{{"0", "Never."}}, Default: "0", Example: "5m",
		Doc: "How often a long session has an entry before it ends. Such an entry has `interim: true`, and counts from the start of the session.",
	},
	{
		Path: "audit.outputs", Type: TypeTables, Absent: "none", Example: "[{name: siem, to: \"syslog+tls://siem.example:6514\"}]",
		Doc: "Further places for the entries. Each has all entries that are written after its first start. If it is away, clearspan sends the rest later, as long as it keeps the files.",
	},
	{
		Path: "audit.outputs[].name", Type: TypeName, Required: true, Example: "siem",
		Doc: "The name of the output in metrics and logs. Names are unique among outputs. It stands for the place in the audit log: a new name begins at the end.",
	},
	{
		Path: "audit.outputs[].to", Type: TypeURL, Required: true, Example: "syslog+tls://siem.example:6514",
		Doc: "The destination: `syslog+tls://HOST:PORT` (RFC 5425), `syslog+tcp://HOST:PORT` (RFC 6587, octet counting), `syslog+udp://HOST:PORT` (RFC 5426), or the path of a file. A relative path starts at STATE. The ports are 6514, 514 and 514 if absent.",
	},
	{
		Path: "audit.outputs[].format", Type: TypeWord, Default: string(export.JSON), Example: string(export.CEF), Words: []Choice{
			{string(export.JSON), "The entry as in the audit log."},
			{string(export.CEF), "Common Event Format, version 0."},
		},
		Doc: "The form of an entry. By syslog, it is the message behind a header of RFC 5424.",
	},
	{
		Path: "audit.outputs[].select", Type: TypeText, Absent: "all entries", Example: "outcome:terminated,failed",
		Doc: "A query, as in `clearspan sessions`. Entries that do not match are not sent.",
	},
	{
		Path: "audit.outputs[].ca", Type: TypeFile, Absent: "the roots of the system", Example: "siem-ca.pem",
		Doc: "The authorities that the certificate of the receiver may come from (PEM). Only with `syslog+tls`.",
	},
	{
		Path: "audit.outputs[].certificate", Type: TypeFile, Absent: "none", Example: "box.pem",
		Doc: "The certificate that clearspan shows to the receiver (PEM). Only with `syslog+tls`.",
	},
	{
		Path: "audit.outputs[].key", Type: TypeFile, Absent: "none", Example: "box.key",
		Doc: "The key of `certificate` (PEM).",
	},
	{
		Path: "audit.outputs[].server_name", Type: TypeHost, Absent: "the host of `to`", Example: "collector.siem.example",
		Doc: "The name in the certificate of the receiver. Only with `syslog+tls`.",
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
