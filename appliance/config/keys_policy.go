package config

import (
	"github.com/clearspan/clearspan/decrypt"
	"github.com/clearspan/clearspan/decrypt/learn"
	"github.com/clearspan/clearspan/decrypt/policy"
)

// actions are what a rule or an event may have done with a session.
var actions = []Choice{
	{policy.Bump.String(), "clearspan decrypts the session."},
	{policy.Tunnel.String(), "clearspan passes the session unopened."},
	{policy.TunnelCheck.String(), "clearspan tunnels the session if the server name belongs to the destination, else ends it."},
	{policy.Terminate.String(), "clearspan ends the session. The origin gets no data."},
}

// synonyms are words of other products for actions.
var synonyms = []string{"decrypt", "splice", "bypass", "tunnel with sni check"}

// eventWords are the values of an event.
func eventWords(more ...Choice) []Choice {
	words := append([]Choice{{"log", "The event stands in the audit entry and the metrics only."}}, more...)
	return append(words, choices(policy.Bump.String(), policy.Tunnel.String(), policy.TunnelCheck.String(), policy.Terminate.String())...)
}

var policyKeys = []Key{
	{
		Path: "policy", Type: TypeTable,
		Doc: "The rules that decide which sessions clearspan decrypts. The first rule whose conditions all match decides.",
	},
	{
		Path: "policy.mode", Type: TypeWord, Default: string(Enforce), Example: string(Monitor), Words: []Choice{
			{string(Enforce), "clearspan follows the rules."},
			{string(Monitor), "clearspan tunnels all TLS sessions and terminates none. The audit key `would` has the action of the rule. Conditions on the origin's certificate never match."},
		},
		Doc: "Whether clearspan follows the rules.",
	},
	{
		Path: "policy.default", Type: TypeWord, Words: actions, Synonyms: synonyms, Default: policy.Bump.String(), Example: policy.Tunnel.String(),
		Doc: "The action if no rule matches.",
	},
	{
		Path: "policy.mirror", Type: TypeReference, List: true, Default: "all", Example: "[interface]", Words: []Choice{
			{"all", "Every mirror."},
			{"none", "No mirror. An empty list means the same."},
		},
		Doc: "The mirrors that show a session, unless its rule names others.",
	},
	{
		Path: "policy.services", Type: TypeReference, List: true, Default: "none", Example: "[icap]", Words: []Choice{
			{"none", "No service. An empty list means the same."},
		},
		Doc: "The services that decrypted and plain sessions pass, in order from the client. A rule can name others.",
	},
	{
		Path: "policy.lists", Type: TypeTable, Absent: "none",
		Doc: "Categories of host names or of URLs. Each key is the name of a category.",
	},
	{
		Path: "policy.lists.NAME", Type: TypeTable, Absent: "none", Example: "{file: finance.txt}",
		Doc: "One category.",
	},
	{
		Path: "policy.lists.NAME.file", Type: TypeFile, Required: true, Example: "finance.txt",
		Doc: "A file with one host name, or one URL, in each line. A name also stands for all names below it. `#` begins a comment. A reload reads the file again.",
	},
	{
		Path: "policy.lists.NAME.kind", Type: TypeWord, Default: string(HostList), Example: string(URLList), Words: []Choice{
			{string(HostList), "Host names."},
			{string(URLList), "URLs: a host and the beginning of a path. A URL stands for all paths below it. Scheme, port and query are ignored."},
		},
		Doc: "The kind of entries in the file. Rules with a category of URLs need action `bump` or `terminate`.",
	},
	{
		Path: "policy.events", Type: TypeTable,
		Doc: "The reactions to unusual sessions. An action replaces that of the rule, unless the rule terminates.",
	},
	{
		Path: "policy.events.no-sni", Type: TypeWord, Words: eventWords(), Synonyms: synonyms, Default: "log", Example: policy.Tunnel.String(),
		Doc: "The hello has no usable server name.",
	},
	{
		Path: "policy.events.sni-mismatch", Type: TypeWord, Words: eventWords(), Synonyms: synonyms, Default: "log", Example: policy.Terminate.String(),
		Doc: "The server name differs from the CONNECT name, or from the host of a request. For the host of a request, only `terminate` acts on the request; another action refuses it with 421.",
	},
	{
		Path: "policy.events.sni-unresolved", Type: TypeWord, Default: "log", Example: policy.Terminate.String(),
		Words: eventWords(Choice{"off", "clearspan does not look names up."}), Synonyms: synonyms,
		Doc: "The server name does not resolve to the destination. With an action, sessions wait for the look-up.",
	},
	{
		Path: "policy.events.no-shared-cipher", Type: TypeWord, Words: eventWords(), Synonyms: synonyms, Default: "log", Example: policy.Tunnel.String(),
		Doc: "The client or the origin shares no TLS version, cipher suite, group or signature algorithm with clearspan.",
	},
	{
		Path: "policy.events.ech-required", Type: TypeWord, Words: eventWords(), Synonyms: synonyms, Default: "log", Example: policy.Tunnel.String(),
		Doc: "The client uses Encrypted Client Hello in earnest. It ended a session to the same name because of that within 24 hours.",
	},
	{
		Path: "policy.events.ech", Type: TypeWord, Words: eventWords(), Synonyms: synonyms, Default: "log", Example: policy.Tunnel.String(),
		Doc: "The hello has the ECH extension, real or not. Most browsers send it always. An action therefore applies to all their sessions.",
	},
	{
		Path: "policy.events.late-tls", Type: TypeWord, Words: eventWords(), Synonyms: synonyms, Default: "log", Example: policy.Terminate.String(),
		Doc: "TLS began behind other octets of the session, as no dialogue that clearspan follows has it. Without an action, the rules decide. Where only the origin's answer shows it, only `terminate` acts.",
	},
	{
		Path: "policy.events.tunnel-unproven", Type: TypeWord, Words: eventWords(), Synonyms: synonyms, Default: "log", Example: policy.Terminate.String(),
		Doc: "A rule tunnels the session by a host name, and neither DNS nor a certificate shows that the destination is that host. `log` means `bump`.",
	},
	{
		Path: "policy.rules", Type: TypeTables, Absent: "none",
		Doc: "The rules, in the order in which clearspan asks them. A rule matches if all its conditions match. A condition matches if one of its values does.",
	},
}

var ruleKeys = []Key{
	{
		Path: "policy.rules[].name", Type: TypeName, Required: true, Example: "banks",
		Doc: "The name of the rule in audit entries. Names are unique. `default` is reserved.",
	},
	{
		Path: "policy.rules[].action", Type: TypeWord, Required: true, Words: actions, Synonyms: synonyms, Example: policy.Bump.String(),
		Doc: "The action for sessions that match.",
	},
	{
		Path: "policy.rules[].host", Type: TypePattern, List: true, Absent: "every host", Example: `["*.bank.test", bank.test]`,
		Doc: "The server name, the CONNECT name or the HTTP host. `*.` stands for any depth of subdomains.",
	},
	{
		Path: "policy.rules[].category", Type: TypeReference, List: true, Absent: "every host", Example: "[finance]",
		Doc: "Names of `policy.lists`. Together with `host` it is one condition: one of both must match.",
	},
	{
		Path: "policy.rules[].path", Type: TypeText, List: true, Absent: "every path", Example: `["/upload/*"]`,
		Doc: "The path of a request, without query. `*` stands for any octets. clearspan compares decoded paths in lower case. The rule needs action `bump` or `terminate`.",
	},
	{
		Path: "policy.rules[].method", Type: TypeText, List: true, Absent: "every method", Example: "[POST, PUT]",
		Doc: "The method of a request. The rule needs action `bump` or `terminate`.",
	},
	{
		Path: "policy.rules[].intake", Type: TypeReference, List: true, Absent: "every intake", Example: "[explicit]",
		Doc: "Names of intakes.",
	},
	{
		Path: "policy.rules[].client", Type: TypeNetwork, List: true, Absent: "every client", Example: "[10.20.0.0/16]",
		Doc: "The client address.",
	},
	{
		Path: "policy.rules[].origin", Type: TypeNetwork, List: true, Absent: "every destination", Example: "[192.0.2.0/24]",
		Doc: "The destination address.",
	},
	{
		Path: "policy.rules[].port", Type: TypePorts, List: true, Absent: "every port", Example: `[443, "8000-8100"]`,
		Doc: "The destination port.",
	},
	{
		Path: "policy.rules[].protocol", Type: TypeWord, List: true, Words: choices(protocols...), Absent: "every protocol", Example: "tls",
		Doc: "The protocol that clearspan found in the first octets.",
	},
	{
		Path: "policy.rules[].alpn", Type: TypeText, List: true, Absent: "every offer", Example: "[h2, http/1.1]",
		Doc: "An application protocol (ALPN) that the client offers.",
	},
	{
		Path: "policy.rules[].ja4", Type: TypeText, List: true, Absent: "every client", Example: `["t13d1516h2_*_*"]`,
		Doc: "The JA4 fingerprint of the hello. `*` stands for any of the three parts.",
	},
	{
		Path: "policy.rules[].time", Type: TypeText, List: true, Absent: "always", Example: `"22:00-06:00 mon-fri Europe/Berlin"`,
		Doc: "Hours, days and time zone, each optional. The days are those of the beginning. A table with `from`, `to`, `days` and `zone` says the same.",
	},
	{
		Path: "policy.rules[].time[].from", Type: TypeText, Absent: "`00:00`", Example: `"22:00"`,
		Doc: "The time of day at which the period begins, `00:00` to `24:00`.",
	},
	{
		Path: "policy.rules[].time[].to", Type: TypeText, Absent: "`24:00`", Example: `"06:00"`,
		Doc: "The time of day at which the period ends. If it is before `from`, the period ends on the next day.",
	},
	{
		Path: "policy.rules[].time[].days", Type: TypeText, List: true, Absent: "every day", Example: "[mon-fri, sun]",
		Doc: "Days and ranges of days: `mon`, `tue`, `wed`, `thu`, `fri`, `sat`, `sun`.",
	},
	{
		Path: "policy.rules[].time[].zone", Type: TypeText, Absent: "the machine's time zone", Example: "Europe/Berlin", Beside: "policy.rules[].time[].days",
		Doc: "A name of the IANA time zone database.",
	},
	{
		Path: "policy.rules[].origin_name", Type: TypePattern, List: true, Absent: "every certificate", Example: `["*.clearing.test"]`,
		Doc: "A name in the origin's certificate. clearspan asks the origin first. An unverified certificate matches only rules that terminate.",
	},
	{
		Path: "policy.rules[].issuer", Type: TypeText, List: true, Absent: "every certificate", Example: `["Example Clearing CA"]`,
		Doc: "The issuer of the origin's certificate: common name, organization or whole name. Otherwise like `origin_name`.",
	},
	{
		Path: "policy.rules[].mirror", Type: TypeReference, List: true, Absent: "the value of `policy.mirror`", Example: "[interface]", Words: choices("all", "none"),
		Doc: "The mirrors that show the session. Other mirrors count its octets as lost with reason `unselected`.",
	},
	{
		Path: "policy.rules[].content", Type: TypeWord, List: true, Words: choices(decrypt.Decrypted, decrypt.Plain, decrypt.Tunneled), Absent: "all", Example: "[decrypted]",
		Doc: "The classes of content that the mirrors show, of those that they take at all.",
	},
	{
		Path: "policy.rules[].alpn_offer", Type: TypeText, List: true, Absent: "the value of `origin.alpn_offer`", Example: "[http/1.1]",
		Doc: "The application protocols (ALPN) that clearspan offers the origin at most.",
	},
	{
		Path: "policy.rules[].proxy", Type: TypeURL, Absent: "the value of `origin.proxy`", Example: "socks5://192.0.2.8:1080", Words: []Choice{
			{policy.Direct, "clearspan connects to the origin itself."},
		},
		Doc: "The proxy by way of which clearspan reaches the origin. See `origin.proxy`. `origin.no_proxy` does not apply. The rule must match before clearspan connects.",
	},
	{
		Path: "policy.rules[].learn", Type: TypeWord, Words: choices(learn.Off, learn.Alert, learn.Tunnel), Absent: "the values of `policy.learn`", Example: string(learn.Alert),
		Doc: "`off` and `alert` limit all of `policy.learn`. `tunnel` tunnels pinned clients of these sessions.",
	},
	{
		Path: "policy.rules[].services", Type: TypeReference, List: true, Absent: "the value of `policy.services`", Example: "[icap]", Words: choices("none"),
		Doc: "The services that the session passes, in order from the client. The rule needs action `bump`.",
	},
}

// lessonActions are what may follow from a lesson.
var lessonActions = []Choice{
	{string(learn.Off), "clearspan learns nothing."},
	{string(learn.Alert), "clearspan logs and lists the entry. Sessions change only if an operator pins it."},
	{string(learn.Tunnel), "clearspan tunnels later sessions of the kind."},
}

var learnKeys = []Key{
	{
		Path: "policy.learn", Type: TypeTable,
		Doc: "Lessons from sessions for later sessions. An entry only turns `bump` into `tunnel`. `clearspan learned` lists and changes the entries in `STATE/learned.json`.",
	},
	{
		Path: "policy.learn.pinned", Type: TypeTable,
		Doc: "Clients that refuse the forged certificate of a good origin. clearspan cannot tell a client without the CA from a client with pinned certificates.",
	},
	{
		Path: "policy.learn.pinned.action", Field: "Pinned", Type: TypeWord, Words: lessonActions, Default: string(learn.Alert), Example: string(learn.Tunnel),
		Doc: "The action. With `tunnel`, clearspan also tunnels clients that do not trust the CA.",
	},
	{
		Path: "policy.learn.pinned.after", Type: TypeNumber, Min: "1", Max: "100", Default: "3", Example: "5",
		Doc: "How many refusals make an entry.",
	},
	{
		Path: "policy.learn.pinned.within", Type: TypeDuration, Min: "1s", Max: "8760h", Default: "1h", Example: "2h",
		Doc: "The time in which the refusals must happen.",
	},
	{
		Path: "policy.learn.pinned.for", Type: TypeDuration, Min: "1s", Max: "8760h", Default: "24h", Example: "48h",
		Doc: "How long an entry lasts.",
	},
	{
		Path: "policy.learn.pinned.scope", Type: TypeWord, Default: string(learn.ClientHost), Example: string(learn.Host), Words: []Choice{
			{string(learn.ClientHost), "The entry holds for the client that refused, and the host."},
			{string(learn.Host), "The entry holds for every client. The refusals must come from different clients. An IPv6 /64 counts as one client."},
		},
		Doc: "For which sessions an entry holds.",
	},
	{
		Path: "policy.learn.client_certificate", Type: TypeTable,
		Doc: "Origins that ask for a client certificate, if `origin.client_certificate` is `tunnel`.",
	},
	{
		Path: "policy.learn.client_certificate.action", Field: "ClientCertificate", Type: TypeWord, Words: lessonActions, Default: string(learn.Tunnel), Example: string(learn.Alert),
		Doc: "The action.",
	},
	{
		Path: "policy.learn.client_certificate.for", Type: TypeDuration, Min: "1s", Max: "8760h", Default: "24h", Example: "3h",
		Doc: "How long an entry lasts.",
	},
	{
		Path: "policy.learn.failed_origin", Type: TypeTable,
		Doc: "Origins with which no TLS handshake is possible, for a reason other than trust.",
	},
	{
		Path: "policy.learn.failed_origin.action", Field: "FailedOrigin", Type: TypeWord, Words: lessonActions, Default: string(learn.Off), Example: string(learn.Tunnel),
		Doc: "The action.",
	},
	{
		Path: "policy.learn.failed_origin.for", Type: TypeDuration, Min: "1s", Max: "8760h", Default: "1h", Example: "5m",
		Doc: "How long an entry lasts.",
	},
	{
		Path: "policy.learn.alpn_offer", Type: TypeTable,
		Doc: "Origins that refuse the protocols of `alpn_offer`. clearspan offers them the client's list.",
	},
	{
		Path: "policy.learn.alpn_offer.for", Field: "NarrowOfferFor", Type: TypeDuration, Min: "1s", Max: "8760h", Default: "24h", Example: "7m",
		Doc: "How long an entry lasts.",
	},
	{
		Path: "policy.learn.entries", Type: TypeNumber, Min: "1", Max: "100000", Default: "10000", Example: "500",
		Doc: "The largest number of entries. Beyond it, clearspan forgets the least recently used.",
	},
	{
		Path: "policy.learn.client_entries", Type: TypeNumber, Min: "1", Max: "100000", Default: "100", Example: "20",
		Doc: "The largest number of entries from one client, or one IPv6 /64. Beyond it, clearspan forgets entries of that client.",
	},
}

var blockKeys = []Key{
	{
		Path: "block", Type: TypeTable,
		Doc: "The answers to clients if a rule terminates a session or clearspan blocks an origin.",
	},
	{
		Path: "block.answer", Type: TypeWord, Default: string(decrypt.TellRefused), Example: string(decrypt.ResetRefused), Words: []Choice{
			{string(decrypt.TellRefused), "A TLS alert, a page for plain HTTP, status 403 for a proxy request, an error line in mail."},
			{string(decrypt.ResetRefused), "A TCP reset. It excludes `page`, `https`, `contact` and `exceptions`."},
		},
		Doc: "How clearspan answers the client.",
	},
	{
		Path: "block.page", Type: TypeFile, Absent: "the built-in page", Example: "block.html",
		Doc: "A page template (Go `html/template`). Fields: `.Host .Reason .Explanation .Policy .Rule .Session .Client .Time .Contact .ContactLink .Ask .Asked`.",
	},
	{
		Path: "block.contact", Type: TypeText, Absent: "the operator of this network", Example: "helpdesk@example.com",
		Doc: "Whom the page sends users to: a mail address, a URL, or any text.",
	},
	{
		Path: "block.exceptions", Type: TypeBool, Default: "false", Example: "true",
		Doc: "The page has a form by which users ask for an exception. `clearspan exceptions` lists what they asked for.",
	},
	{
		Path: "block.https", Type: TypeBool, Default: "false", Example: "true",
		Doc: "The page also answers HTTPS, with a forged certificate. If the origin is at fault, the untrusted CA signs it.",
	},
}
