package config

import "github.com/clearspan/clearspan/mirror"

// Kinds of a source and of an alert of the recorder.
var (
	onlySourceInterface = []string{string(SourceInterface)}
	onlySourceFeed      = []string{string(SourceFeed)}
	onlySourceDirectory = []string{string(SourceDirectory)}
	onlySourceEngine    = []string{string(SourceEngine)}
	onlyAlertMail       = []string{string(AlertMail)}
	onlyAlertWebhook    = []string{string(AlertWebhook)}
	onlyAlertSyslog     = []string{string(AlertSyslog)}
)

var recorderKeys = []Key{
	{
		Path: "recorder", Type: TypeTable, Absent: "no recorder",
		Doc: "The recorder: it keeps who sent what, when, where to and how. `clearspan run` starts it beside the workers. `clearspan recorder run -c FILE` runs it alone.",
	},
	{
		Path: "recorder.directory", Type: TypePath, Default: "recorder", Example: "/srv/recorder",
		Doc: "The directory for packets, contents and the trail. A relative path starts at STATE.",
	},
	{
		Path: "recorder.source", Type: TypeTables, Required: true, Example: "[{name: own, kind: engine}]",
		Doc: "Where the recorder has sessions from.",
	},
	{
		Path: "recorder.source[].name", Type: TypeName, Required: true, Example: "own",
		Doc: "The name of the source. Names are unique among sources and mirrors.",
	},
	{
		Path: "recorder.source[].kind", Type: TypeWord, Required: true, Words: []Choice{
			{string(SourceInterface), "Frames on a network interface: a SPAN port, or the mirror port of any product."},
			{string(SourceFeed), "A live capture over TCP (pcap-over-IP)."},
			{string(SourceDirectory), "Captures that others put into a directory."},
			{string(SourceEngine), "The sessions of clearspan itself, without frames. Only in `clearspan run`. In rules it counts as a mirror of that name."},
		},
		Doc: "The kind of the source.",
	},
	{
		Path: "recorder.source[].interface", Type: TypeInterface, Required: true, Of: onlySourceInterface, Example: "span0",
		Doc: "The network interface.",
	},
	{
		Path: "recorder.source[].rings", Type: TypeNumber, Of: onlySourceInterface, Min: "1", Max: "64", Default: "1", Example: "2",
		Doc: "The number of threads that read the interface. They share its frames: both directions of a session come to the same one.",
	},
	{
		Path: "recorder.source[].ring", Type: TypeSize, Of: onlySourceInterface, Min: "1MiB", Max: "32GiB", Default: "64MiB", Example: "512MiB",
		Doc: "The memory of each thread for frames that wait, in whole MiB. If it is full, the kernel drops frames and counts them.",
	},
	{
		Path: "recorder.source[].filter", Type: TypeText, Of: onlySourceInterface, Absent: "all frames are taken", Example: "not port 9999",
		Doc: "The frames that are taken, as a filter of tcpdump. Hosts and ports are numbers. Frames that it keeps away are counted.",
	},
	{
		Path: "recorder.source[].connect", Type: TypeHostPort, Required: true, Of: onlySourceFeed, Example: "192.0.2.5:57012",
		Doc: "The server to connect to.",
	},
	{
		Path: "recorder.source[].directory", Type: TypePath, Required: true, Of: onlySourceDirectory, Example: "incoming",
		Doc: "The directory. A capture is read when it has not changed for 2 seconds, and renamed to `NAME.done`.",
	},
	{
		Path: "recorder.source[].content", Type: TypeWord, List: true, Of: onlySourceEngine, Default: "[decrypted, plain]", Example: "[decrypted]", Words: []Choice{
			{"decrypted", "The cleartext of decrypted sessions."},
			{"plain", "Sessions that never were encrypted."},
			{"tunneled", "TLS sessions that pass unopened."},
		},
		Doc: "The classes of content that are recorded.",
	},
	{
		Path: "recorder.source[].full", Type: TypeWord, Of: onlySourceEngine, Default: string(mirror.Block), Example: string(mirror.Drop), Words: []Choice{
			{string(mirror.Drop), "Octets are lost and counted. Sessions go on."},
			{string(mirror.Block), "Sessions wait for up to 5 seconds. After that, octets are lost and counted until the recorder takes some again."},
		},
		Doc: "The reaction if the recorder does not take what waits for it.",
	},
	{
		Path: "recorder.source[].buffer", Type: TypeSize, Of: onlySourceEngine, Min: "1MiB", Max: "1GiB", Default: "32MiB", Example: "256MiB",
		Doc: "The memory for octets that wait for the recorder, also while it is started again.",
	},
	{
		Path: "recorder.retain", Type: TypeTable,
		Doc: "How much is kept. The oldest goes first.",
	},
	{
		Path: "recorder.retain.packets", Type: TypeTable,
		Doc: "How many packets are kept.",
	},
	{
		Path: "recorder.retain.packets.size", Type: TypeSize, Min: "1MiB", Default: "10GiB", Example: "500GiB",
		Doc: "The octets of packets that are kept at most.",
	},
	{
		Path: "recorder.retain.packets.age", Type: TypeDuration, Min: "1h", Max: "876000h", Words: []Choice{{"0", "For good."}}, Default: "0", Example: "720h",
		Doc: "How long packets are kept. A session that stays open keeps its packets up to a day longer.",
	},
	{
		Path: "recorder.retain.received", Type: TypeTable,
		Doc: "How much is kept of contents that clients receive.",
	},
	{
		Path: "recorder.retain.received.age", Type: TypeDuration, Min: "1h", Max: "876000h", Words: []Choice{{"0", "For good."}}, Default: "0", Example: "2160h",
		Doc: "How long they are kept.",
	},
	{
		Path: "recorder.retain.received.size", Type: TypeSize, Min: "1MiB", Words: []Choice{{"0", "Any number."}}, Default: "0", Example: "200GiB",
		Doc: "The octets that are kept at most.",
	},
	{
		Path: "recorder.retain.sent", Type: TypeTable,
		Doc: "How much is kept of contents that clients send.",
	},
	{
		Path: "recorder.retain.sent.age", Type: TypeDuration, Min: "1h", Max: "876000h", Words: []Choice{{"0", "For good."}}, Default: "0", Example: "26280h",
		Doc: "How long they are kept.",
	},
	{
		Path: "recorder.retain.sent.size", Type: TypeSize, Min: "1MiB", Words: []Choice{{"0", "Any number."}}, Default: "0", Example: "200GiB",
		Doc: "The octets that are kept at most.",
	},
	{
		Path: "recorder.retain.mail", Type: TypeTable,
		Doc: "How much is kept of mail messages, and what is in them.",
	},
	{
		Path: "recorder.retain.mail.age", Type: TypeDuration, Min: "1h", Max: "876000h", Words: []Choice{{"0", "For good."}}, Default: "0", Example: "61320h",
		Doc: "How long they are kept.",
	},
	{
		Path: "recorder.retain.mail.size", Type: TypeSize, Min: "1MiB", Words: []Choice{{"0", "Any number."}}, Default: "0", Example: "200GiB",
		Doc: "The octets that are kept at most.",
	},
	{
		Path: "recorder.retain.trail", Type: TypeTable,
		Doc: "How much is kept of events. Their contents go with them.",
	},
	{
		Path: "recorder.retain.trail.age", Type: TypeDuration, Min: "1h", Max: "876000h", Words: []Choice{{"0", "For good."}}, Default: "0", Example: "61320h",
		Doc: "How long they are kept.",
	},
	{
		Path: "recorder.retain.trail.size", Type: TypeSize, Min: "1MiB", Words: []Choice{{"0", "Any number."}}, Default: "0", Example: "200GiB",
		Doc: "The octets that are kept at most.",
	},
	{
		Path: "recorder.alert", Type: TypeTables, Absent: "nobody is told", Example: "[{name: siem, kind: webhook, url: \"https://siem.example.test/hook\"}]",
		Doc: "The people and systems that are told of findings. The first of a kind and client is told at once, further ones together after 10 minutes. Alerts that are not taken are sent again for three days.",
	},
	{
		Path: "recorder.alert[].name", Type: TypeName, Required: true, Example: "privacy-office",
		Doc: "The name of the alert. Names are unique among alerts.",
	},
	{
		Path: "recorder.alert[].kind", Type: TypeWord, Required: true, Words: []Choice{
			{string(AlertMail), "Mail by SMTP."},
			{string(AlertWebhook), "JSON in a POST request."},
			{string(AlertSyslog), "Messages of syslog (RFC 5424) with a body of CEF."},
		},
		Doc: "How the alert is sent.",
	},
	{
		Path: "recorder.alert[].server", Type: TypeHostPort, Required: true, Of: onlyAlertMail, Example: "mail.example.test:587",
		Doc: "The mail server. STARTTLS is used if the server offers it. With `tls:` in front, such as `tls:mail.example.test:465`, all of it is TLS.",
	},
	{
		Path: "recorder.alert[].to", Type: TypeText, List: true, Required: true, Of: onlyAlertMail, Example: "[privacy@example.test]",
		Doc: "The recipients.",
	},
	{
		Path: "recorder.alert[].from", Type: TypeText, Of: onlyAlertMail, Absent: "`clearspan` at the domain of the first recipient", Example: "recorder@example.test",
		Doc: "The sender.",
	},
	{
		Path: "recorder.alert[].ca", Type: TypeFile, Of: onlyAlertMail, Absent: "the roots of the system", Example: "mail-ca.pem",
		Doc: "The authorities that the certificate of the server may come from (PEM).",
	},
	{
		Path: "recorder.alert[].server_name", Type: TypeHost, Of: onlyAlertMail, Absent: "the host of `server`", Example: "mail.example.test",
		Doc: "The name in the certificate of the server.",
	},
	{
		Path: "recorder.alert[].server", Type: TypeHostPort, Required: true, Of: onlyAlertSyslog, Example: "tls:siem.example.test:6514",
		Doc: "The collector. With `tls:` in front, messages go over TLS, with `udp:` as datagrams, and else over TCP.",
	},
	{
		Path: "recorder.alert[].ca", Type: TypeFile, Of: onlyAlertSyslog, Absent: "the roots of the system", Example: "siem-ca.pem",
		Doc: "The authorities that the certificate of the collector may come from (PEM). Only over TLS.",
	},
	{
		Path: "recorder.alert[].server_name", Type: TypeHost, Of: onlyAlertSyslog, Absent: "the host of `server`", Example: "siem.example.test",
		Doc: "The name in the certificate of the collector. Only over TLS.",
	},
	{
		Path: "recorder.alert[].certificate", Type: TypeFile, Of: onlyAlertSyslog, Absent: "none", Example: "box.pem", Beside: "recorder.alert[].key",
		Doc: "The certificate that the recorder shows to the collector (PEM). Only over TLS.",
	},
	{
		Path: "recorder.alert[].key", Type: TypeFile, Of: onlyAlertSyslog, Absent: "none", Example: "box.key", Beside: "recorder.alert[].certificate",
		Doc: "The private key of the certificate (PEM).",
	},
	{
		Path: "recorder.alert[].url", Type: TypeURL, Required: true, Of: onlyAlertWebhook, Example: "https://siem.example.test/hook",
		Doc: "Where alerts are posted. `http` is for addresses of this machine only.",
	},
	{
		Path: "recorder.alert[].secret_file", Type: TypeFile, Of: onlyAlertWebhook, Absent: "alerts are not signed", Example: "hook.secret",
		Doc: "A file with the secret, of at least 16 octets, by which alerts are signed (HMAC-SHA256, in the header `X-Signature-256`).",
	},
	{
		Path: "recorder.inside", Type: TypeText, List: true, Absent: "nothing is inside", Example: `[10.0.0.0/8, "@example.test"]`,
		Doc: "The networks, and the domains of mail, that are inside. Rules with `to: outside` or `to: inside` need it.",
	},
	{
		Path: "recorder.inspect", Type: TypeTable,
		Doc: "The search for personal and confidential data in what is sent.",
	},
	{
		Path: "recorder.inspect.received", Type: TypeBool, Default: "false", Example: "true",
		Doc: "The search also covers what clients receive.",
	},
	{
		Path: "recorder.inspect.passwords", Type: TypeBool, Default: "false", Example: "true",
		Doc: "The words of mail messages are tried on encrypted zip archives between the same people, within an hour. This opens what its sender closed.",
	},
	{
		Path: "recorder.inspect.dictionaries", Type: TypeTable,
		Doc: "Lists of words and phrases. Each name is that of a finding.",
	},
	{
		Path: "recorder.inspect.dictionaries.NAME", Type: TypeFile, Absent: "none", Example: "projects.txt",
		Doc: "A file with a word or phrase a line, in any charset. `#` begins a comment.",
	},
	{
		Path: "recorder.inspect.registered", Type: TypeTable,
		Doc: "Data that are found exactly. Each name is that of a finding. The recorder keeps their hashes in memory, and reads the files at its start.",
	},
	{
		Path: "recorder.inspect.registered.NAME", Type: TypePath, Absent: "none", Example: "customers.csv",
		Doc: "A table (`.csv`, `.tsv`) with a line of headings: cells of at least 4 characters are found. Or a document, or a directory: any passage of 200 characters. Or what `clearspan recorder register` wrote.",
	},
	{
		Path: "recorder.inspect.patterns", Type: TypeTables, Absent: "none", Example: "[{name: part, pattern: 'PX-[0-9]{4}'}]",
		Doc: "Regular expressions that are found.",
	},
	{
		Path: "recorder.inspect.patterns[].name", Type: TypeName, Required: true, Example: "part-number",
		Doc: "The name of the finding.",
	},
	{
		Path: "recorder.inspect.patterns[].pattern", Field: "RE", Type: TypeText, Required: true, Example: `'\bPX-\d{4}\b'`,
		Doc: "The expression, in the syntax of RE2. Capitals, and full-width letters and digits, make no difference.",
	},
	{
		Path: "recorder.inspect.patterns[].near", Type: TypeText, List: true, Absent: "none is needed", Example: "[drawing, 図面]",
		Doc: "Words, one of which must be near.",
	},
	{
		Path: "recorder.inspect.patterns[].reach", Type: TypeNumber, Min: "1", Max: "2000", Default: "300", Example: "100",
		Doc: "How near the words must be, in characters.",
	},
	{
		Path: "recorder.inspect.patterns[].count", Type: TypeNumber, Min: "1", Max: "100000", Default: "1", Example: "5",
		Doc: "The different values that are needed. With less of them, the score is 50 at most.",
	},
	{
		Path: "recorder.inspect.patterns[].score", Type: TypeNumber, Min: "1", Max: "100", Default: "80", Example: "90",
		Doc: "The score of the finding.",
	},
	{
		Path: "recorder.inspect.rules", Type: TypeTables, Absent: "findings of 70 points that clients send are told to all alerts, but less than ten people, and data of contact", Example: "[{name: numbers, when: {my-number: 1}}]",
		Doc: "The findings that are told. A finding that no rule names is kept, and told to nobody.",
	},
	{
		Path: "recorder.inspect.rules[].name", Type: TypeName, Required: true, Example: "numbers-out",
		Doc: "The name of the rule in findings. Names are unique among these rules.",
	},
	{
		Path: "recorder.inspect.rules[].sent", Type: TypeBool, Default: "false", Example: "true",
		Doc: "The rule looks only at what clients send.",
	},
	{
		Path: "recorder.inspect.rules[].received", Type: TypeBool, Default: "false", Example: "true",
		Doc: "The rule looks only at what clients receive.",
	},
	{
		Path: "recorder.inspect.rules[].client", Type: TypeText, List: true, Absent: "all clients", Example: "[10.2.0.0/16]",
		Doc: "The networks or addresses of clients.",
	},
	{
		Path: "recorder.inspect.rules[].user", Type: TypeText, List: true, Absent: "all users", Example: `["*@sales.example.test"]`,
		Doc: "The names of users. `*` stands for any characters.",
	},
	{
		Path: "recorder.inspect.rules[].to", Type: TypeText, List: true, Absent: "everywhere", Example: "[outside]",
		Doc: "The destinations: `outside`, `inside`, networks, hosts such as `*.example.com`, or recipients such as `@example.com`. One that holds is enough.",
	},
	{
		Path: "recorder.inspect.rules[].size", Type: TypeSize, Default: "0", Words: []Choice{{"0", "Any size."}}, Example: "10MiB", Min: "1",
		Doc: "The octets of all files of the event together, at least.",
	},
	{
		Path: "recorder.inspect.rules[].when", Type: TypeTable,
		Doc: "The detectors, with the least number of values that each must have found. All are needed.",
	},
	{
		Path: "recorder.inspect.rules[].when.NAME", Type: TypeNumber, Min: "1", Max: "1000000000", Absent: "none", Example: "1",
		Doc: "The least number of values of the detector NAME, such as `my-number`.",
	},
	{
		Path: "recorder.inspect.rules[].or", Type: TypeTable,
		Doc: "Detectors that are enough in place of `when`.",
	},
	{
		Path: "recorder.inspect.rules[].or.NAME", Type: TypeNumber, Min: "1", Max: "1000000000", Absent: "none", Example: "100",
		Doc: "The least number of values of the detector NAME.",
	},
	{
		Path: "recorder.inspect.rules[].score", Type: TypeNumber, Min: "1", Max: "100", Words: []Choice{{"0", "70, and 50 for data of contact."}}, Default: "0", Example: "90",
		Doc: "The score that a finding needs.",
	},
	{
		Path: "recorder.inspect.rules[].alert", Type: TypeReference, List: true, Absent: "nobody: the rule is only noted", Example: "[privacy-office]",
		Doc: "The alerts that are told.",
	},
	{
		Path: "recorder.encrypt", Type: TypeTable,
		Doc: "The encryption of packets and contents, as files of age. The trail is not encrypted.",
	},
	{
		Path: "recorder.encrypt.to", Type: TypeText, List: true, Absent: "nothing is encrypted", Example: "[age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p]",
		Doc: "The recipients of age. Only their identities open the files: neither the recorder nor its administrator has them.",
	},
	{
		Path: "recorder.encrypt.what", Type: TypeWord, List: true, Default: "[packets, contents]", Example: "[contents]", Words: []Choice{
			{"packets", "The volumes of packets."},
			{"contents", "The files and bodies of events."},
		},
		Doc: "The classes that are encrypted.",
	},
	{
		Path: "recorder.api", Type: TypeText, Absent: "nothing is answered", Example: "127.0.0.1:8095",
		Doc: "The address that answers questions over HTTP: `unix:PATH`, or a loopback address. A relative path starts at `directory`. Requests need a token of `clearspan recorder token add`.",
	},
	{
		Path: "recorder.seal", Type: TypeTable,
		Doc: "The chain of evidence.",
	},
	{
		Path: "recorder.seal.every", Type: TypeDuration, Min: "1m", Max: "24h", Default: "1h", Example: "10m",
		Doc: "How often the chain is signed. It is also signed when the recorder ends.",
	},
	{
		Path: "recorder.seal.timestamp", Type: TypeURL, Absent: "no time stamps", Example: "http://tsa.example.test/",
		Doc: "A time-stamping authority (RFC 3161), which stamps each signature. If it does not answer, it is asked again, and nothing waits.",
	},
	{
		Path: "recorder.trail", Type: TypeTable,
		Doc: "Where the trail is kept.",
	},
	{
		Path: "recorder.trail.store", Type: TypeWord, Default: "sqlite", Example: "clickhouse", Words: []Choice{
			{"sqlite", "Files of SQLite in the directory, one a day."},
			{"clickhouse", "A ClickHouse server."},
		},
		Doc: "The kind of store.",
	},
	{
		Path: "recorder.trail.url", Type: TypeURL, Default: defaultClickHouse, Example: "http://192.0.2.9:8123/?database=trail", Beside: "recorder.trail.store",
		Doc: "The HTTP interface of the ClickHouse server, or a file that has the URL. A URL with a password belongs into a file. Only with `store: clickhouse`.",
	},
}
