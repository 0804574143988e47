package blockpage

// explanations are sentences for users, by the words of audit entries.
var explanations = map[string]string{
	"policy":              "A rule of this network does not allow this connection.",
	"name-mismatch-check": "The requested name does not belong to the server of this connection.",
	"client-certificate":  "The server asks for your certificate. This network cannot pass it on.",
	"expired":             "The server's certificate has expired.",
	"not-yet-valid":       "The server's certificate is not valid yet.",
	"name-mismatch":       "The server's certificate is for another name.",
	"unknown-issuer":      "The server's certificate comes from an issuer that is not trusted.",
	"self-signed":         "The server's certificate is signed by itself.",
	"revoked":             "The server's certificate was revoked by its issuer.",
	"revocation-unknown":  "The revocation status of the server's certificate is unknown.",
	"weak-key":            "A key in the server's certificate chain is too weak.",
	"weak-signature":      "A signature in the server's certificate chain is too weak.",
	"bad-usage":           "The server's certificate is not meant for servers.",
	"must-staple":         "The server does not prove that its certificate is still good, as the certificate demands.",
	"constraint":          "An issuer in the server's certificate chain may not sign for it.",
	"malformed":           "The server's certificate is malformed.",
	"tls-version":         "The server speaks only old versions of TLS.",
	"own-authority":       "The server shows a certificate of this network's own inspection authority.",
}

// events are sentences for users, by the word in the rule's place.
var events = map[string]string{
	"event:no-sni":           "The connection does not name its site. This network does not allow that.",
	"event:sni-mismatch":     "The connection names two different sites. This network does not allow that.",
	"event:sni-unresolved":   "The requested name does not belong to the server of this connection.",
	"event:no-shared-cipher": "The server does not speak a version of TLS that this network allows.",
	"event:ech-required":     "The connection hides the name of its site. This network does not allow that.",
	"event:late-tls":         "The connection begins encryption where this network does not expect it.",
	"event:tunnel-unproven":  "The requested name does not belong to the server of this connection.",
	"event:ech":              "The connection may hide the name of its site. This network does not allow that.",
}

func explain(reason, rule string) string {
	if text, ok := events[rule]; ok && reason == "policy" {
		return text
	}
	if text, ok := explanations[reason]; ok {
		return text
	}
	return "The server could not be verified."
}
