package config

import (
	"slices"

	"github.com/clearspan/clearspan/certs"
	"github.com/clearspan/clearspan/decrypt"
)

var authorityKeys = []Key{
	{
		Path: "authority", Type: TypeTable,
		Doc: "The authority (CA) that signs the forged certificates, and the untrusted authority for origins that fail verification. If the file does not name a pair, clearspan creates it in `STATE/authority`.",
	},
	{
		Path: "authority.certificate", Type: TypeFile, Absent: "`STATE/authority/ca.crt`", Example: "ca.crt", Beside: "authority.key",
		Doc: "The PEM certificate of the CA, or a PKCS #12 file that holds certificate and key.",
	},
	{
		Path: "authority.key", Type: TypeFile, Absent: "`STATE/authority/ca.key`", Example: "ca.key", Beside: "authority.certificate",
		Doc: "The private key of the CA: a PEM file, the same PKCS #12 file, or a PKCS #11 URI such as `pkcs11:token=NAME;object=NAME`.",
	},
	{
		Path: "authority.untrusted_certificate", Type: TypeFile, Absent: "`STATE/authority/untrusted.crt`", Example: "untrusted.crt", Beside: "authority.untrusted_key",
		Doc: "The certificate of the untrusted CA. It must differ from `certificate`. Never install it on clients.",
	},
	{
		Path: "authority.untrusted_key", Type: TypeFile, Absent: "`STATE/authority/untrusted.key`", Example: "untrusted.key", Beside: "authority.untrusted_certificate",
		Doc: "The private key of the untrusted CA, in the same forms as `key`.",
	},
	{
		Path: "authority.passphrase_file", Type: TypeFile, Absent: "the systemd credential `authority-passphrase`, else the terminal", Example: "passphrase",
		Doc: "A file whose first line is the passphrase of the encrypted keys. clearspan also encrypts new keys with it.",
	},
	{
		Path: "authority.publish", Type: TypeListen, Absent: "no server", Example: "127.0.0.1:8091",
		Doc: "The address of a web page with the CA certificate and instructions for clients.",
	},
}

var connectionKeys = []Key{
	{
		Path: "leaf", Type: TypeTable,
		Doc: "The forged certificates.",
	},
	{
		Path: "leaf.lifetime", Type: TypeDuration, Min: "1h", Max: "4320h", Default: "24h", Example: "12h",
		Doc: "How long a forged certificate is valid.",
	},
	{
		Path: "leaf.cache", Type: TypeNumber, Min: "1", Max: "10000000", Default: "100000", Example: "500",
		Doc: "How many forged certificates clearspan keeps in memory.",
	},
	{
		Path: "leaf.crl", Type: TypeURL, Default: "false", Example: "http://ca.example.test:8091", Beside: "authority.publish", Words: []Choice{
			{"false", "Forged certificates name no revocation list."},
			{"true", "Forged certificates name an empty revocation list at the address of `authority.publish`."},
		},
		Doc: "Where clients find the revocation list of the CA: `http://HOST:PORT` by which they reach `authority.publish`. Some clients refuse certificates without a list.",
	},
	{
		Path: "client", Type: TypeTable,
		Doc: "The connection between client and clearspan.",
	},
	{
		Path: "client.min_tls", Type: TypeVersion, Words: choices("1.2", "1.3"), Default: `"1.2"`, Example: `"1.3"`,
		Doc: "The lowest TLS version that clients may use.",
	},
	{
		Path: "client.handshake_timeout", Type: TypeDuration, Min: "1s", Max: "10m", Default: "10s", Example: "5s",
		Doc: "The time for the whole ClientHello, from its first octet. The rest of the handshake gets the same time again.",
	},
	{
		Path: "client.silence_timeout", Type: TypeDuration, Min: "1s", Max: "720h", Default: "1m", Example: "20s",
		Doc: "After this time clearspan ends a session in which neither end has sent any data.",
	},
	{
		Path: "client.idle_timeout", Type: TypeDuration, Min: "1s", Max: "720h", Default: "1h", Example: "10m",
		Doc: "After this time without data in either direction, clearspan ends a session.",
	},
	{
		Path: "client.resumption", Field: "!FullHandshakes", Type: TypeBool, Default: "true", Example: "false",
		Doc: "Clients may resume TLS sessions with the same origin, certificates and verdict, also after a reload and a restart.",
	},
}

func originKeys() []Key {
	keys := []Key{
		{
			Path: "origin", Type: TypeTable,
			Doc: "The connection between clearspan and the origin, and the verification of origins.",
		},
		{
			Path: "origin.roots", Type: TypeFile, List: true, Words: []Choice{{"system", "The roots of the system."}}, Default: "[system]", Example: "[system, extra.pem]",
			Doc: "The trusted roots: PEM files, and the word `system`.",
		},
		{
			Path: "origin.min_tls", Type: TypeVersion, Words: choices("1.2", "1.3"), Default: `"1.2"`, Example: `"1.3"`,
			Doc: "The lowest TLS version that origins may use.",
		},
		{
			Path: "origin.connect_timeout", Type: TypeDuration, Min: "100ms", Max: "10m", Default: "10s", Example: "3s",
			Doc: "The time for the TCP handshake with the origin.",
		},
		{
			Path: "origin.resolve", Type: TypeWord, Default: string(decrypt.ResolveDestination), Example: string(decrypt.ResolveSNI), Words: []Choice{
				{string(decrypt.ResolveDestination), "To the address that the client chose."},
				{string(decrypt.ResolveSNI), "To an address of the server name. clearspan asks the rules with that address too. A name without an address ends the session. Intakes of mode `wire` and `static` ignore this."},
			},
			Doc: "The address to which a session with a server name goes.",
		},
		{
			Path: "origin.client_certificate", Type: TypeWord, Default: string(decrypt.AnswerNone), Example: string(decrypt.BlockRequest), Words: []Choice{
				{string(decrypt.TunnelRequest), "clearspan passes the session unopened, whoever the origin is. After STARTTLS it answers with an empty certificate."},
				{string(decrypt.BlockRequest), "clearspan ends the session."},
				{string(decrypt.AnswerNone), "clearspan answers with an empty certificate. If the origin ends the handshake for it, `policy.learn.client_certificate` decides. The hosts of the next two keys are exceptions."},
			},
			Doc: "The reaction to an origin that asks for a client certificate.",
		},
		{
			Path: "origin.client_certificate_hosts", Type: TypePattern, List: true, Absent: "none", Example: `["*.bank.test", bank.test]`,
			Doc: "Hosts whose users have client certificates. If such an origin asks for one, clearspan passes the session unopened. The origin must prove its name by its certificate or by DNS. Only for `client_certificate: none`.",
		},
		{
			Path: "origin.client_certificate_lists", Type: TypeReference, List: true, Absent: "none", Example: "[finance]",
			Doc: "Names of `policy.lists` with more such hosts.",
		},
		{
			Path: "origin.alpn_offer", Type: TypeText, List: true, Absent: "the client's list", Example: "[http/1.1]",
			Doc: "The application protocols (ALPN) that clearspan offers at most, out of the client's list. If an origin refuses them, clearspan offers the client's list. A rule can replace the key.",
		},
		{
			Path: "origin.proxy", Type: TypeURL, Absent: "none", Example: "http://192.0.2.8:3128",
			Doc: "The proxy by way of which clearspan reaches origins: `http://HOST:PORT` or `https://HOST:PORT` (HTTP CONNECT), or `socks5://HOST:PORT`. `USER:PASSWORD@` may precede the host. Intakes of mode `wire` ignore the key. A rule can replace it. See [upstream proxy](../deploy/explicit.md#upstream-proxy).",
		},
		{
			Path: "origin.proxy_credentials", Type: TypeFile, Absent: "none", Example: "credentials.txt", Beside: "origin.proxy",
			Doc: "A file whose first line is `USER:PASSWORD` for `proxy`. Only its owner may read it.",
		},
		{
			Path: "origin.no_proxy", Type: TypeText, List: true, Absent: "none", Example: `[10.0.0.0/8, "*.corp.test"]`, Beside: "origin.proxy",
			Doc: "Origins that clearspan reaches without `proxy`: names, patterns, addresses and networks. `.NAME` is the name and all names below it.",
		},
		{
			Path: "origin.resumption", Field: "!FullHandshakes", Type: TypeBool, Default: "true", Example: "false",
			Doc: "clearspan resumes TLS sessions with origins, for the same client and up to one hour. An origin can then link two connections of one client.",
		},
		{
			Path: "origin.fetch_intermediates", Type: TypeBool, Default: "true", Example: "false",
			Doc: "clearspan fetches certificates of issuers that an origin leaves out, by plain HTTP from the address in the certificate below. Private addresses need `revocation.allow`.",
		},
		{
			Path: "origin.revocation", Type: TypeTable,
			Doc: "Whether the certificates of origins are revoked. Sources are stapled OCSP responses, `crl`, OCSP responders and revocation lists over HTTP.",
		},
		{
			Path: "origin.revocation.mode", Type: TypeWord, Default: string(certs.RevocationSoft), Example: string(certs.RevocationHard), Words: []Choice{
				{string(certs.RevocationOff), "clearspan asks no source."},
				{string(certs.RevocationSoft), "Certificates with an unknown status pass. The audit entry says `unknown`."},
				{string(certs.RevocationHard), "An unknown status fails the origin with reason `revocation-unknown`."},
			},
			Doc: "How strict the check is.",
		},
		{
			Path: "origin.revocation.timeout", Type: TypeDuration, Min: "100ms", Max: "30s", Default: "3s", Example: "5s",
			Doc: "How long a session waits for all sources together. clearspan leaves an unreachable server alone for one minute.",
		},
		{
			Path: "origin.revocation.max_crl", Type: TypeSize, Min: "1KiB", Max: "1GiB", Default: "32MiB", Example: "64MiB",
			Doc: "The largest revocation list that clearspan fetches.",
		},
		{
			Path: "origin.revocation.crl", Type: TypeFile, List: true, Absent: "none", Example: "[extra.pem]",
			Doc: "Files with revocation lists, PEM or DER. A reload reads them again.",
		},
		{
			Path: "origin.revocation.allow", Type: TypeNetwork, List: true, Absent: "public addresses only", Example: "[10.9.0.0/16]",
			Doc: "Networks of responders that clearspan may ask although their addresses are not public.",
		},
		{
			Path: "origin.on_invalid", Type: TypeTable,
			Doc: "The treatment of sessions whose origin fails verification. The keys are reasons, see [reasons](reasons.md).",
		},
		{
			Path: "origin.on_invalid.default", Type: TypeWord, Default: string(decrypt.Untrusted), Example: string(decrypt.Block), Words: []Choice{
				{string(decrypt.Block), "clearspan ends the session."},
				{string(decrypt.Untrusted), "The client gets a certificate of the untrusted CA, and shows its own warning."},
				{string(decrypt.PassOn), "clearspan passes the session unopened. After STARTTLS it ends the session."},
			},
			Doc: "The action for all reasons without a key of their own.",
		},
	}
	for _, reason := range reasons {
		k := Key{
			Path: "origin.on_invalid." + string(reason), Type: TypeWord, Words: choices(decrypt.Block, decrypt.Untrusted, decrypt.PassOn),
			Absent: "the value of `default`", Example: string(decrypt.PassOn),
			Doc: "The action for reason `" + string(reason) + "`.",
		}
		if slices.Contains(blocked, reason) {
			k.Absent, k.Default = "", string(decrypt.Block)
		}
		if reason == certs.OwnAuthority {
			k.Words, k.Example = choices(decrypt.Block), ""
			k.Doc += " No other action is allowed."
		}
		keys = append(keys, k)
	}
	return keys
}
