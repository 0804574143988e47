package config

import (
	"time"

	"github.com/clearspan/clearspan/decrypt/learn"
)

// defaultLearn tells of pinned clients, tunnels what needs client certificates,
// and lets origins fail with which no handshake can be made.
var defaultLearn = learn.Options{
	Pinned: learn.Alert, PinnedFor: 24 * time.Hour, After: 3, Within: time.Hour, Scope: learn.ClientHost,
	ClientCertificate: learn.Tunnel, ClientCertificateFor: 24 * time.Hour,
	FailedOrigin: learn.Off, FailedOriginFor: time.Hour,
	NarrowOffer: learn.Tunnel, NarrowOfferFor: 24 * time.Hour,
	Entries: 10_000, ClientEntries: 100,
}

func (r *reader) learn(n *node, o learn.Options) learn.Options {
	t := r.table(n, "learn")
	lasts := duration(time.Second, 8760*time.Hour)
	lesson := func(key string, action *learn.Action, last *time.Duration) *table {
		l := r.table(t.get(key), key)
		*action = value(l, "action", *action, oneOf(learn.Off, learn.Alert, learn.Tunnel))
		*last = value(l, "for", *last, lasts)
		return l
	}
	pinned := lesson("pinned", &o.Pinned, &o.PinnedFor)
	o.After = value(pinned, "after", o.After, intNumber(1, 100))
	o.Within = value(pinned, "within", o.Within, lasts)
	o.Scope = value(pinned, "scope", o.Scope, oneOf(learn.ClientHost, learn.Host))
	pinned.close()
	lesson("client_certificate", &o.ClientCertificate, &o.ClientCertificateFor).close()
	lesson("failed_origin", &o.FailedOrigin, &o.FailedOriginFor).close()
	offer := r.table(t.get("alpn_offer"), "alpn_offer")
	o.NarrowOfferFor = value(offer, "for", o.NarrowOfferFor, lasts)
	offer.close()
	o.Entries = value(t, "entries", o.Entries, intNumber(1, 100_000))
	o.ClientEntries = value(t, "client_entries", o.ClientEntries, intNumber(1, 100_000))
	t.close()
	return o
}
