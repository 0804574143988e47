package config

import (
	"github.com/clearspan/clearspan/decrypt"
	"github.com/clearspan/clearspan/mirror"
	"github.com/clearspan/clearspan/mirror/pcapip"
	"github.com/clearspan/clearspan/mirror/port"
)

// Kinds of a mirror, by what they have in common.
var (
	onlyInterface  = []string{string(Interface)}
	onlyPCAPNG     = []string{string(PCAPNG)}
	onlyPCAPOverIP = []string{string(PCAPOverIP)}
	onlyVXLAN      = []string{string(VXLAN)}
)

var mirrorKeys = []Key{
	{
		Path: "mirror", Type: TypeTables, Absent: "no mirror: clearspan inspects and audits sessions only",
		Doc: "Where the cleartext goes.",
	},
	{
		Path: "mirror[].name", Type: TypeName, Required: true,
		Doc: "The name of the mirror in rules, metrics and audit entries. Names are unique among mirrors. `all` and `none` are reserved.",
	},
	{
		Path: "mirror[].kind", Type: TypeWord, Required: true, Words: []Choice{
			{string(Interface), "Ethernet frames on a network interface."},
			{string(PCAPNG), "Capture files."},
			{string(PCAPOverIP), "A TCP server to which recorders connect. It sends a live capture."},
			{string(VXLAN), "Ethernet frames in VXLAN to a remote recorder."},
		},
		Doc: "How the mirror delivers frames.",
	},
	{
		Path: "mirror[].interface", Type: TypeInterface, List: true, Required: true, Of: onlyInterface, Example: "[mirror0]",
		Doc: "The mirror port. With several interfaces, each session goes to one of them.",
	},
	{
		Path: "mirror[].method", Type: TypeWord, Of: onlyInterface, Default: string(port.Auto), Example: string(port.SendMMsg), Words: []Choice{
			{string(port.Auto), "The cheapest method that works. The log names it."},
			{string(port.SendMMsg), "Frame by frame. Works everywhere."},
			{string(port.GSO), "The kernel or the adapter cuts large segments. On software interfaces clearspan turns transmit checksum offload off meanwhile."},
			{string(port.XDP), "AF_XDP, with an MTU of up to 4078."},
		},
		Doc: "How frames reach the interface.",
	},
	{
		Path: "mirror[].patience", Type: TypeDuration, Of: onlyInterface, Min: "10ms", Max: "1h", Default: "5s", Example: "30s",
		Doc: "With `full: block`: how long a session waits for room in the queue, or for the link. After that, frames are lost.",
	},
	{
		Path: "mirror[].directory", Type: TypePath, Of: onlyPCAPNG, Default: "pcap", Example: "captures",
		Doc: "The directory of the files. A relative path starts at STATE. Each mirror needs a directory of its own.",
	},
	{
		Path: "mirror[].rotate", Type: TypeTable, Of: onlyPCAPNG,
		Doc: "When clearspan begins a new file, and how many it keeps.",
	},
	{
		Path: "mirror[].rotate.size", Type: TypeSize, Min: "256KiB", Words: []Choice{{"0", "There is no limit."}}, Default: "1GiB", Example: "64MiB",
		Doc: "The size at which a file ends.",
	},
	{
		Path: "mirror[].rotate.every", Type: TypeDuration, Min: "1s", Max: "8784h", Words: []Choice{{"0", "Never."}}, Default: "1h", Example: "10m",
		Doc: "The age at which a file ends.",
	},
	{
		Path: "mirror[].rotate.keep", Type: TypeNumber, Min: "1", Max: "1000000", Words: []Choice{{"0", "All."}}, Default: "168", Example: "3",
		Doc: "How many finished files clearspan keeps. It removes the oldest.",
	},
	{
		Path: "mirror[].buffer", Type: TypeSize, Of: onlyPCAPNG, Min: "8MiB", Max: "1GiB", Default: "32MiB", Example: "256MiB",
		Doc: "The memory for frames that wait for the disk. If it is full, `full` says what happens. clearspan takes the memory when it is first needed, and keeps it.",
	},
	{
		Path: "mirror[].buffer", Type: TypeSize, Of: onlyPCAPOverIP, Min: "256KiB", Max: "1GiB", Default: "16MiB", Example: "64MiB",
		Doc: "The memory for frames that wait for a reader. Each reader has its own. If it is full, `slow` says what happens.",
	},
	{
		Path: "mirror[].secrets", Type: TypeBool, Of: onlyPCAPNG, Default: "false", Example: "true",
		Doc: "The files also hold the TLS secrets of decrypted sessions, as does the file in the environment variable `SSLKEYLOGFILE`. With them, any capture of these sessions can be decrypted.",
	},
	{
		Path: "mirror[].listen", Type: TypeListen, Required: true, Of: onlyPCAPOverIP, Example: "127.0.0.1:57012",
		Doc: "The address to which recorders connect.",
	},
	{
		Path: "mirror[].slow", Type: TypeWord, Of: onlyPCAPOverIP, Default: string(pcapip.Skip), Example: string(pcapip.Disconnect), Words: []Choice{
			{string(pcapip.Skip), "It misses frames."},
			{string(pcapip.Disconnect), "clearspan disconnects it."},
		},
		Doc: "The treatment of readers that are too slow.",
	},
	{
		Path: "mirror[].readers", Type: TypeUser, List: true, Of: onlyPCAPOverIP, Absent: "none", Example: `[recorder, "@wireshark"]`,
		Doc: "Users of this machine that may read, beside root and clearspan's own user. `@` begins the name of a group. Numbers are possible.",
	},
	{
		Path: "mirror[].from", Type: TypeNetwork, List: true, Of: onlyPCAPOverIP, Absent: "private and link-local networks", Example: "[10.1.0.20]",
		Doc: "The networks of other machines that may read. clearspan knows these readers by their address only.",
	},
	{
		Path: "mirror[].remote", Type: TypeServer, Required: true, Of: onlyVXLAN, Example: "192.0.2.1:4789",
		Doc: "The address of the recorder. The port is 4789 if none is given.",
	},
	{
		Path: "mirror[].vni", Type: TypeNumber, Required: true, Of: onlyVXLAN, Min: "0", Max: "16777215", Example: "42",
		Doc: "The VXLAN network identifier.",
	},
	{
		Path: "mirror[].source", Type: TypeAddress, Of: onlyVXLAN, Absent: "the address of the route", Example: "192.0.2.2",
		Doc: "The address from which clearspan sends.",
	},
	{
		Path: "mirror[].mtu", Type: TypeNumber, Min: "576", Max: "65535", Absent: "that of the interface or the path; `pcapng` and `pcap-over-ip`: 1500", Example: "9000",
		Doc: "The largest IP packet in a frame, in octets. Kind `vxlan` sends no larger packets than the path takes.",
	},
	{
		Path: "mirror[].full", Type: TypeWord, Default: string(mirror.Drop), DefaultOf: map[string]string{string(PCAPNG): string(mirror.Block)}, Words: []Choice{
			{string(mirror.Drop), "Frames are lost and counted. Sessions go on."},
			{string(mirror.Block), "Sessions wait. Kind `pcap-over-ip` does not allow this."},
		},
		Doc: "The reaction if the mirror cannot take more frames.",
	},
	{
		Path: "mirror[].ports", Type: TypeWord, Default: string(DefaultPorts), Example: string(KeepPorts), Words: []Choice{
			{string(DefaultPorts), "Cleartext appears on the port where recorders expect its protocol, whatever the origin's port is: SMTP on 25, HTTP/2 on 80, MQTT on 1883."},
			{string(KeepPorts), "The true port."},
		},
		Doc: "The origin's port as recorders see it. A table maps true ports to shown ports: `{465: 25, 993: 143}`.",
	},
	{
		Path: "mirror[].ports.PORT", Type: TypePort, Absent: "the true port; for HTTP/2 as with `default`", Example: "25",
		Doc: "The port that recorders see in place of PORT.",
	},
	{
		Path: "mirror[].starttls", Type: TypeWord, Default: string(ConcealSTARTTLS), Example: string(KeepSTARTTLS), Words: []Choice{
			{string(ConcealSTARTTLS), "The mirror leaves the dialogue out. Recorders then read the mail behind it."},
			{string(KeepSTARTTLS), "The mirror shows the dialogue."},
		},
		Doc: "Whether the mirror shows the STARTTLS dialogue.",
	},
	{
		Path: "mirror[].http2", Type: TypeWord, Default: string(KeepHTTP2), Example: string(TranscodeHTTP2), Words: []Choice{
			{string(KeepHTTP2), "As clearspan relayed it."},
			{string(TranscodeHTTP2), "Each stream appears as an HTTP/1.1 conversation of its own."},
		},
		Doc: "How the mirror shows HTTP/2.",
	},
	{
		Path: "mirror[].mark", Type: TypeTable,
		Doc: "Marks that distinguish mirrored frames from those of a SPAN port.",
	},
	{
		Path: "mirror[].mark.vlan", Type: TypeNumber, Min: "0", Max: "4094", Default: "0", Example: "7",
		Doc: "The VLAN identifier of every frame, 0 for no tag.",
	},
	{
		Path: "mirror[].mark.mac", Type: TypeMAC, Absent: "no mark", Example: `"0a:63:73:00:00:01"`,
		Doc: "The source address of every frame.",
	},
	{
		Path: "mirror[].mark.dscp", Type: TypeNumber, Min: "0", Max: "63", Default: "0", Example: "8",
		Doc: "The differentiated services code point (DSCP) of every packet.",
	},
	{
		Path: "mirror[].content", Type: TypeWord, List: true, Default: "[decrypted, plain]", Example: "[decrypted]", Words: []Choice{
			{decrypt.Decrypted.String(), "The cleartext of decrypted sessions."},
			{decrypt.Plain.String(), "Sessions that never were encrypted."},
			{decrypt.Tunneled.String(), "TLS sessions that pass unopened."},
			{Other, "Frames that a wire passes and that are not TCP. Only kind `interface`."},
		},
		Doc: "The classes of content that the mirror shows.",
	},
}
