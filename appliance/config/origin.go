package config

import (
	"fmt"

	"github.com/clearspan/clearspan/appliance/upstream"
	"github.com/clearspan/clearspan/certs"
	"github.com/clearspan/clearspan/decrypt"
)

// Origin is how origins are reached and judged.
type Origin struct {
	// Roots are PEM files of trusted roots; "system" stands for the system's
	// own. Default: system.
	Roots      []string
	Revocation Revocation
	// FetchIntermediates has certificates of issuers fetched that an origin leaves out.
	FetchIntermediates bool
	decrypt.OriginOptions
	// ClientCertificateHosts are patterns of hosts, and ClientCertificateLists names of
	// lists with hosts, whose users have client certificates: sessions are tunneled if
	// such an origin asks for one. Default none.
	ClientCertificateHosts, ClientCertificateLists []string
	// ALPNOffer are the application protocols that an origin is offered at most,
	// where no rule says otherwise. Default nil: those of the client.
	ALPNOffer []string
	// Upstream is the proxy by way of which origins are reached. Default: none.
	Upstream upstream.Options
}

// reasons are why an origin can fail verification.
var reasons = []certs.Reason{
	certs.Expired, certs.NotYetValid, certs.NameMismatch, certs.UnknownIssuer, certs.SelfSigned, certs.Revoked, certs.RevocationUnknown,
	certs.WeakKey, certs.WeakSignature, certs.BadUsage, certs.MustStaple, certs.Constraint, certs.Malformed, certs.TLSVersion, certs.OwnAuthority,
}

// blocked are those whose sessions end unless the file says otherwise.
var blocked = []certs.Reason{certs.Revoked, certs.WeakSignature, certs.Malformed, certs.OwnAuthority, certs.TLSVersion}

func (r *reader) origin(n *node) (o Origin) {
	t := r.table(n, "origin")
	o.Roots = r.roots(t, []string{"system"})
	o.ClientCertificateHosts = values(t, "client_certificate_hosts", nil, parsePattern)
	o.ClientCertificateLists = r.laterLists(t, "client_certificate_lists")
	o.ALPNOffer = values(t, "alpn_offer", nil, parseALPN)
	o.Revocation = r.revocation(t.get("revocation"))
	o.OnInvalid = r.onInvalid(t.get("on_invalid"))
	o.Upstream = r.upstream(t)
	t.fill("origin", "", &o, &o.Upstream)
	t.close()
	return o
}

// laterLists reads names of lists, which are known later.
func (r *reader) laterLists(t *table, key string) []string {
	names := values(t, key, nil, func(s string) (string, error) { return s, nil })
	if len(names) > 0 {
		at := t.place(key)
		r.listed = append(r.listed, func(known []string) {
			for _, name := range names {
				if _, err := among("list", known)(name); err != nil {
					r.fail(at, "%s: %v", key, err)
				}
			}
		})
	}
	return names
}

// roots reads the key roots: PEM files, or "system".
func (r *reader) roots(t *table, def []string) []string {
	file := parseFile(r.dir)
	return values(t, "roots", def, func(s string) (string, error) {
		if s == "system" {
			return s, nil
		}
		return file(s)
	})
}

// onInvalid reads the table n. Reasons without a key of their own have the default
// action, but some are blocked unless the file says otherwise.
func (r *reader) onInvalid(n *node) (o decrypt.OnInvalid) {
	t := r.table(n, "on_invalid")
	t.fill("origin.on_invalid", "", &o)
	o.ByReason = make(map[string]decrypt.Response, len(blocked))
	for _, reason := range blocked {
		o.ByReason[string(reason)] = decrypt.Block
	}
	for _, reason := range reasons {
		if !t.has(string(reason)) {
			continue
		}
		parse := oneOf(decrypt.Block, decrypt.Untrusted, decrypt.PassOn)
		if reason == certs.OwnAuthority {
			parse = alwaysBlocked
		}
		o.ByReason[string(reason)] = value(t, string(reason), decrypt.Block, parse)
	}
	t.close()
	return o
}

// alwaysBlocked guards the reason that leaves no choice: an origin that holds a
// certificate of our own authority may be an attacker who has its key.
func alwaysBlocked(s string) (decrypt.Response, error) {
	if s != string(decrypt.Block) {
		return "", fmt.Errorf("an origin that holds a certificate of our own is always blocked, not %q", s)
	}
	return decrypt.Block, nil
}
