package blockpage

// explanations are sentences for users, by the words of audit entries.
var explanations = map[string]string{
	"policy":              "A rule of this network does not allow this connection.",
	"name-mismatch-check": "The name that was asked for does not belong to the server that the connection goes to.",
	"ech-required":        "The name of the site was hidden from this network, which does not allow that.",
	"client-certificate":  "The server asks for a certificate of yours, which cannot be given through this network.",
	"expired":             "The server's certificate has expired.",
	"not-yet-valid":       "The server's certificate is not valid yet.",
	"name-mismatch":       "The server's certificate is for another name.",
	"unknown-issuer":      "The server's certificate comes from an issuer that is not trusted.",
	"self-signed":         "The server's certificate is signed by itself.",
	"revoked":             "The server's certificate was revoked by its issuer.",
	"revocation-unknown":  "Whether the server's certificate was revoked could not be found out.",
	"weak-key":            "A key in the server's certificate chain is too weak.",
	"weak-signature":      "A signature in the server's certificate chain is too weak.",
	"bad-usage":           "The server's certificate is not meant for servers.",
	"must-staple":         "The server does not prove that its certificate is still good, as the certificate demands.",
	"constraint":          "An issuer in the server's certificate chain may not sign for it.",
	"malformed":           "The server's certificate is malformed.",
	"tls-version":         "The server speaks only old versions of TLS.",
	"own-authority":       "The server shows a certificate of this network's own inspection authority.",
}

func explain(reason string) string {
	if text, ok := explanations[reason]; ok {
		return text
	}
	return "The server could not be verified."
}
