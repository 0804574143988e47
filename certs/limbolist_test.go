package certs

const (
	keyIdentifiers = "accepted: key identifiers are hints for finding issuers, the signature decides"
	criticality    = "accepted: the extension is obeyed whether or not it is marked critical"
	rootsForm      = "accepted: a root is a key and a name that the operator chose, its other contents are not asked"
	noDepth        = "accepted: there is no maximum depth to set; paths are at most 10 certificates long"
	ignoredName    = "accepted: common names mean nothing here, unless they look like an IP address"
	caLeaf         = "refused: a CA certificate as a leaf"
	selfIssuedCAs  = "refused: crypto/x509 counts self-issued certificates too"
)

// limboDeviations are the cases of x509-limbo that are decided otherwise here,
// each with the reason. A case that no longer deviates fails the test.
var limboDeviations = map[string]string{
	// Good for the suite, refused here.
	"pathlen::validation-ignores-pathlen-in-leaf": caLeaf,
	"rfc5280::ca-as-leaf":                         caLeaf,
	"rfc5280::eku::ee-without-eku":                "refused: a leaf must have the usage serverAuth, as webpki::eku::ee-without-eku wants it",
	"pathlen::self-issued-certs-pathlen":          selfIssuedCAs,
	"rfc5280::nc::permitted-self-issued":          selfIssuedCAs,
	"rfc5280::nc::permitted-dn-match":             "refused: its leaf has no name that a server could be asked for by",

	// Bad for the suite, accepted here.
	"pathlen::max-chain-depth-0-exhausted":                      noDepth,
	"pathlen::max-chain-depth-1-exhausted":                      noDepth,
	"rfc5280::aki::leaf-missing-aki":                            keyIdentifiers,
	"rfc5280::aki::intermediate-missing-aki":                    keyIdentifiers,
	"rfc5280::aki::cross-signed-root-missing-aki":               keyIdentifiers,
	"rfc5280::ski::root-missing-ski":                            keyIdentifiers,
	"rfc5280::ski::intermediate-missing-ski":                    keyIdentifiers,
	"webpki::aki::root-with-aki-missing-keyidentifier":          keyIdentifiers,
	"webpki::aki::root-with-aki-authoritycertissuer":            keyIdentifiers,
	"webpki::aki::root-with-aki-authoritycertserialnumber":      keyIdentifiers,
	"webpki::aki::root-with-aki-all-fields":                     keyIdentifiers,
	"webpki::aki::root-with-aki-ski-mismatch":                   keyIdentifiers,
	"rfc5280::nc::permitted-dns-match-noncritical":              criticality,
	"rfc5280::pc::ica-noncritical-pc":                           criticality,
	"rfc5280::san::noncritical-with-empty-subject":              criticality,
	"rfc5280::root-non-critical-basic-constraints":              criticality,
	"webpki::eku::ee-critical-eku":                              criticality,
	"webpki::san::san-critical-with-nonempty-subject":           criticality,
	"rfc5280::ca-empty-subject":                                 rootsForm,
	"webpki::eku::root-has-eku":                                 rootsForm,
	"webpki::cn::punycode-not-in-san":                           ignoredName,
	"webpki::cn::utf8-vs-punycode-mismatch":                     ignoredName,
	"webpki::cn::not-in-san":                                    ignoredName,
	"webpki::cn::case-mismatch":                                 ignoredName,
	"webpki::san::public-suffix-private-namespace-wildcard-san": "accepted: a company may hold a wildcard over a suffix of its own, such as *.github.io",
}
