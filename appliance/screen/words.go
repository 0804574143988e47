package screen

import (
	"fmt"
	"slices"

	"github.com/clearspan/clearspan/appliance/audit"
)

// summary says in words how a session went.
func summary(e *audit.Entry) string {
	if e.TLSClient != nil && e.TLSClient.Refusal != "" {
		if finding := untrusted(e); finding != "" {
			return "the origin is not trusted: " + finding + "; the client refused it, as it should"
		}
		return refusedByClient(e.TLSClient.Refusal)
	}
	switch e.Outcome {
	case "terminated":
		return "refused by " + ruleOf(e)
	case "failed":
		return "failed: " + Words(e.Reason)
	}
	text := map[string]string{"bumped": "decrypted", "tunneled": "not decrypted", "plain": "had no TLS"}[e.Outcome]
	if text == "" {
		text = e.Outcome
	}
	if e.Protocol != "" && e.Protocol != "tls" && e.Protocol != "http" {
		text += ", " + clean(e.Protocol, 20)
	}
	if e.Outcome == "tunneled" {
		text += ", " + bypassed(e)
	}
	text += fmt.Sprintf(", %s sent, %s received", size(e.Octets.ClientToOrigin), size(e.Octets.OriginToClient))
	if finding := untrusted(e); finding != "" {
		text += "; the origin is not trusted: " + finding
	}
	if lost := lost(e); lost > 0 {
		text += fmt.Sprintf("; recorders missed %s", size(lost))
	}
	return text
}

// untrusted says why the origin failed verification; "" if it did not.
func untrusted(e *audit.Entry) string {
	if e.TLSOrigin == nil || e.TLSOrigin.Verdict == "" || e.TLSOrigin.Verdict == "ok" {
		return ""
	}
	return Words(e.TLSOrigin.Verdict)
}

// refusedByClient says what to do about a client that refuses the forged certificate.
func refusedByClient(refusal string) string {
	switch refusal {
	case "unknown_ca", "bad_certificate", "certificate_unknown", "unsupported_certificate":
		return "the client does not trust our authority: install its certificate there, or tunnel the host"
	}
	return "the client refused our certificate (" + clean(refusal, 40) + "): it may know the right one; then tunnel the host"
}

func ruleOf(e *audit.Entry) string {
	switch {
	case e.Rule == "":
		return Words(e.Reason)
	case e.Rule == "default":
		return "the default of the policy"
	}
	return "rule " + clean(e.Rule, 40)
}

func bypassed(e *audit.Entry) string {
	switch {
	case e.Learned != "":
		return "because an earlier session failed (" + clean(e.Learned, 40) + ")"
	case e.Rule != "":
		return "by " + ruleOf(e)
	}
	return "as configured"
}

// expected are the reasons of a loss that is none to worry about: mirrors were not to
// have the octets, or nobody reads.
var expected = []string{"concealed", "unselected", "no-reader"}

// lost returns the octets that recorders did not get, but for what was expected.
func lost(e *audit.Entry) (n uint64) {
	for _, m := range e.Mirror {
		if !slices.Contains(expected, m.Reason) {
			n += m.Lost
		}
	}
	return n
}

// sentences are reasons of failures in words, see the reference of reasons.
var sentences = map[string]string{
	"":                   "it ended in order",
	"client-silent":      "the client said nothing",
	"client-pending":     "the client has too many unfinished sessions",
	"malformed-hello":    "the client's first octets are no valid TLS",
	"origin-unreachable": "the origin does not answer",
	"origin-refused":     "the origin refuses connections to that port",
	"origin-unresolved":  "the name has no address",
	"unresolved":         "the name has no address",
	"upstream":           "the upstream proxy gives no connection",
	"loop":               "the address is one of clearspan's own",
	"origin-handshake":   "the TLS handshake with the origin failed",
	"client-handshake":   "the TLS handshake with the client failed",
	"client-certificate": "the origin wants the client's certificate, which clearspan does not have",
	"client-reset":       "the client reset the connection",
	"client-closed":      "the client went away",
	"origin-reset":       "the origin reset the connection",
	"idle-timeout":       "nothing was said for too long",
	"shutdown":           "clearspan was stopped",
	"operator":           "an operator ended it",
	"service":            "a service did not let it pass",
	"policy":             "the policy does not let it pass",
	"expired":            "the origin's certificate has expired",
	"not-yet-valid":      "the origin's certificate is not valid yet",
	"name-mismatch":      "the origin's certificate is for another name",
	"unknown-issuer":     "the origin's certificate comes from an unknown issuer",
	"self-signed":        "the origin's certificate is signed by itself",
	"revoked":            "the origin's certificate was revoked",
	"bad-usage":          "the origin's certificate is not meant for servers",
}

// Words returns a reason as a sentence, or the reason itself.
func Words(reason string) string {
	if s := sentences[reason]; s != "" {
		return s
	}
	return clean(reason, 60)
}
