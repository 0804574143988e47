package config

import (
	"github.com/clearspan/clearspan/appliance/intake"
	"github.com/clearspan/clearspan/appliance/intake/nameserver"
	"github.com/clearspan/clearspan/appliance/intake/wire"
)

// Modes of an intake, by what they have in common.
var (
	listening   = []string{string(Explicit), string(Static), string(TProxy), string(Redirect), string(DNS)}
	routed      = []string{string(TProxy), string(Redirect)}
	selecting   = []string{string(TProxy), string(Redirect), string(Wire)}
	withOwn     = []string{string(Static), string(TProxy)}
	onlyStatic  = []string{string(Static)}
	onlyWire    = []string{string(Wire)}
	onlyDNSMode = []string{string(DNS)}
	onlyProxy   = []string{string(Explicit)}
)

var intakeKeys = []Key{
	{
		Path: "intake", Type: TypeTables, Required: true,
		Doc: "The ways by which client connections reach clearspan. The list needs at least one item.",
	},
	{
		Path: "intake[].name", Type: TypeName, Required: true,
		Doc: "The name of the intake in rules, metrics and audit entries. Names are unique among intakes.",
	},
	{
		Path: "intake[].mode", Type: TypeWord, Required: true, Words: []Choice{
			{string(Explicit), "An HTTP and SOCKS proxy on one port. Clients are configured to use it."},
			{string(Static), "Every connection goes to one origin."},
			{string(TProxy), "The machine routes the clients' traffic. Origins see the client addresses."},
			{string(Redirect), "The machine routes the clients' traffic. Origins see the address of the machine."},
			{string(Wire), "A bump in the wire: two interfaces without addresses."},
			{string(DNS), "A DNS forwarder. It removes the keys of Encrypted Client Hello from answers."},
		},
		Doc: "How client connections reach the intake.",
	},
	{
		Path: "intake[].listen", Type: TypeListen, Required: true, Of: listening, Example: "127.0.0.1:8080",
		Doc: "The address on which the intake listens. Without an address before the port, it listens on every address. Mode `dns` needs an address.",
	},
	{
		Path: "intake[].origin", Type: TypeHostPort, Required: true, Of: onlyStatic, Example: "192.0.2.10:443",
		Doc: "The origin of every connection.",
	},
	{
		Path: "intake[].sni", Type: TypeHost, Of: onlyStatic, Absent: "none", Example: "www.example.test",
		Doc: "The server name for the origin if the client sends none.",
	},
	{
		Path: "intake[].certificate", Type: TypeFile, Of: withOwn, Absent: "forged certificates", Example: "site.crt", Beside: "intake[].key",
		Doc: "The PEM certificate of your own server. Mode `tproxy` shows it only if the origin has proven the server name.",
	},
	{
		Path: "intake[].key", Type: TypeFile, Of: withOwn, Absent: "none", Example: "site.key", Beside: "intake[].certificate",
		Doc: "The PEM private key for `certificate`.",
	},
	{
		Path: "intake[].certificate", Type: TypeFile, Of: onlyProxy, Absent: "no TLS", Example: "site.crt", Beside: "intake[].key",
		Doc: "The PEM certificate of the proxy. With it, clients connect to the proxy by TLS (`https://` proxy).",
	},
	{
		Path: "intake[].key", Type: TypeFile, Of: onlyProxy, Absent: "none", Example: "site.key", Beside: "intake[].certificate",
		Doc: "The PEM private key for `certificate`.",
	},
	{
		Path: "intake[].certificates", Type: TypeTables, Of: withOwn, Absent: "none", Example: "[{certificate: site.crt, key: site.key}]",
		Doc: "More certificates of your own servers. The first one that fits the hello is shown. If none fits, mode `static` shows the first.",
	},
	{
		Path: "intake[].certificates[].certificate", Type: TypeFile, Required: true,
		Doc: "The PEM certificate.",
	},
	{
		Path: "intake[].certificates[].key", Type: TypeFile, Required: true,
		Doc: "The PEM private key for `certificate`.",
	},
	{
		Path: "intake[].proxy_protocol", Type: TypeTable, Of: onlyStatic,
		Doc: "The PROXY protocol, versions 1 and 2.",
	},
	{
		Path: "intake[].proxy_protocol.from", Field: "ProxyFrom", Type: TypeNetwork, List: true, Absent: "none", Example: "[10.0.0.0/28]",
		Doc: "Load balancers that begin each connection with a PROXY header. clearspan takes the client address from it.",
	},
	{
		Path: "intake[].proxy_protocol.send", Field: "ProxySend", Type: TypeWord, Words: choices(intake.ProxyV1, intake.ProxyV2), Absent: "no header", Example: "v2",
		Doc: "The version of the PROXY header that clearspan sends to origins.",
	},
	{
		Path: "intake[].from", Type: TypeInterface, List: true, Required: true, Of: routed, Example: "[lan0]",
		Doc: "The interfaces on which clearspan takes connections.",
	},
	{
		Path: "intake[].from", Type: TypeNetwork, List: true, Of: onlyDNSMode, Absent: "private, link-local and loopback networks", Example: "[10.0.0.0/8]",
		Doc: "The networks that may ask. clearspan does not answer other clients.",
	},
	{
		Path: "intake[].from", Type: TypeNetwork, List: true, Of: onlyProxy, Absent: "private, link-local and loopback networks", Example: "[10.0.0.0/8]",
		Doc: "The networks of the clients. clearspan resets connections of other clients. It always serves clients on this machine.",
	},
	{
		Path: "intake[].reach", Type: TypeNetwork, List: true, Of: onlyProxy, Absent: "none", Example: "[127.0.0.1, 10.1.0.1]",
		Doc: "Addresses of this machine, link-local addresses and metadata addresses of clouds that clients of other machines may reach. The key opens no listener of clearspan.",
	},
	{
		Path: "intake[].connect_ports", Field: "Ports", Type: TypePorts, List: true, Of: onlyProxy, Absent: "every port, but 25 only if `listen` is a loopback address", Example: `[443, "8000-8999"]`,
		Doc: "The ports that clients may reach by CONNECT and SOCKS. Requests for `http://` may name every port, but 25 only if this list has it.",
	},
	{
		Path: "intake[].ports", Type: TypePorts, List: true, Of: selecting, Absent: "every port", Example: `[443, "8000-8100"]`,
		Doc: "The destination ports that clearspan takes.",
	},
	{
		Path: "intake[].legs", Type: TypeLegs, Required: true, Of: onlyWire, Example: "[lan0, wan0]",
		Doc: "The two interfaces of the wire. The first one faces the clients.",
	},
	{
		Path: "intake[].takeover", Type: TypeWord, Of: onlyWire, Default: string(wire.Late), Example: string(wire.Accept), Words: []Choice{
			{string(wire.Late), "The TCP handshake passes end to end. clearspan decides at the first payload of the client."},
			{string(wire.Accept), "clearspan answers the SYN."},
		},
		Doc: "When clearspan takes a connection.",
	},
	{
		Path: "intake[].down", Type: TypeWord, Of: routed, Default: string(intake.DownPass), Example: string(intake.DownBlock), Words: []Choice{
			{string(intake.DownPass), "New connections are routed past clearspan, without decryption."},
			{string(intake.DownBlock), "New connections to the ports of the intake are dropped, until the next start or `clearspan intake remove`."},
		},
		Doc: "The treatment of new connections while clearspan does not run.",
	},
	{
		Path: "intake[].down", Type: TypeWord, Of: onlyWire, Default: string(intake.DownWire), Example: string(intake.DownBlock), Words: []Choice{
			{string(intake.DownWire), "Selected connections pass, without decryption."},
			{string(intake.DownBlock), "Frames of selected connections are dropped."},
		},
		Doc: "The treatment of selected connections while clearspan does not run.",
	},
	{
		Path: "intake[].down_unsafe", Type: TypeBool, Of: onlyWire, Default: "false", Example: "true",
		Doc: "If true, a wire with `down: wire` also starts in a mount namespace that is not that of PID 1. If clearspan is killed there, the cable is cut.",
	},
	{
		Path: "intake[].link", Type: TypeWord, Of: onlyWire, Default: string(wire.Each), Example: string(wire.Both), Words: []Choice{
			{string(wire.Each), "It stays up."},
			{string(wire.Both), "clearspan takes it down, and sets it up when the carrier is back for 1 s."},
		},
		Doc: "The treatment of a leg while the other leg has no carrier. clearspan must run.",
	},
	{
		Path: "intake[].quic", Type: TypeWord, Of: selecting, Default: string(intake.BlockQUIC), Example: string(intake.PassQUIC), Words: []Choice{
			{string(intake.BlockQUIC), "clearspan refuses QUIC with ICMP. Browsers then use TCP at once."},
			{string(intake.PassQUIC), "QUIC passes. It is never decrypted. clearspan refuses the flows that the policy terminates."},
		},
		Doc: "The treatment of QUIC. Each flow has an audit entry.",
	},
	{
		Path: "intake[].strays", Type: TypeWord, Of: routed, Beside: "intake[].ports", Default: string(intake.PassStrays), Example: string(intake.ResetStrays), Words: []Choice{
			{string(intake.PassStrays), "They are routed on."},
			{string(intake.ResetStrays), "clearspan answers them with a TCP reset, and both ends learn of it within seconds. Needs `ports`."},
		},
		Doc: "The treatment of packets from clients that belong to no connection of the intake. Examples are connections of another machine or of an earlier start.",
	},
	{
		Path: "intake[].stall", Type: TypeDuration, Of: onlyWire, Min: "10ms", Max: "1m", Default: "100ms", Example: "500ms",
		Doc: "How long clearspan may stand still before the wire acts as in `down`. While the process runs, but has more to do than the box can, the limit is one second.",
	},
	{
		Path: "intake[].strict", Field: "!Open", Type: TypeBool, Of: onlyWire, Default: "true", Example: "false",
		Doc: "If true, clearspan drops frames of selected connections that it cannot judge: fragments, IP options, foreign tags, unknown connections.",
	},
	{
		Path: "intake[].grace", Type: TypeDuration, Of: onlyWire, Min: "1ms", Max: "24h", Default: "10s", Example: "1m",
		Doc: "How long after the start connections pass that are older than the wire.",
	},
	{
		Path: "intake[].upstream", Type: TypeServer, List: true, Required: true, Of: onlyDNSMode, Example: `[192.0.2.53, "[2001:db8::53]:53"]`,
		Doc: "The name servers that clearspan asks, in this order. The port is 53 if none is given.",
	},
	{
		Path: "intake[].strip", Type: TypeWord, List: true, Of: onlyDNSMode, Default: string(nameserver.Keys), Example: "[ech, h3]", Words: []Choice{
			{string(nameserver.Keys), "Answers lose the keys of Encrypted Client Hello."},
			{string(nameserver.HTTP3), "Answers lose the offer of HTTP/3, so that clients use TCP."},
			{string(nameserver.Records), "Answers lose all SVCB and HTTPS records."},
		},
		Doc: "The records and keys that clearspan removes from DNS answers.",
	},
	{
		Path: "intake[].timeout", Type: TypeDuration, Of: onlyDNSMode, Min: "100ms", Max: "30s", Default: "2s", Example: "5s",
		Doc: "How long clearspan waits for each name server.",
	},
}
