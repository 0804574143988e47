package config

import "github.com/clearspan/clearspan/decrypt/learn"

func (r *reader) learn(n *node) (o learn.Options) {
	t := r.table(n, "learn")
	for _, lesson := range []string{"pinned", "client_certificate", "failed_origin", "alpn_offer"} {
		l := r.table(t.get(lesson), lesson)
		l.fill("policy.learn."+lesson, "", &o)
		l.close()
	}
	t.fill("policy.learn", "", &o)
	t.close()
	o.NarrowOffer = learn.Tunnel // it only ever widens an offer
	return o
}
