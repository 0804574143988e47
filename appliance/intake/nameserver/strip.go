package nameserver

import (
	"fmt"
	"slices"
	"strings"

	"github.com/miekg/dns"
)

// strip returns an answer without what is to be taken out, and whether there was
// any of it; if not, out is answer itself. Signatures of the records that changed
// go, too, and so does the word that the answer was validated (RFC 4035, Section
// 3.2.3). A message that is not wholly understood is an error.
func strip(answer []byte, what []Strip) (out []byte, changed bool, err error) {
	m := new(dns.Msg)
	if err := m.Unpack(answer); err != nil {
		return nil, false, fmt.Errorf("read answer: %w", err)
	}
	for _, section := range []*[]dns.RR{&m.Answer, &m.Ns, &m.Extra} {
		if thin(section, what) {
			changed = true
		}
	}
	if !changed {
		return answer, false, nil
	}
	m.AuthenticatedData = false
	m.Compress = true
	if out, err = m.Pack(); err != nil {
		return nil, false, fmt.Errorf("write answer: %w", err)
	}
	return out, true, nil
}

// set is what one signature is for.
type set struct {
	name string
	kind uint16
}

// thin takes out of a section, and reports whether it changed.
func thin(section *[]dns.RR, what []Strip) bool {
	touched := make(map[set]bool)
	*section = slices.DeleteFunc(*section, func(rr dns.RR) bool {
		b := binding(rr)
		if b == nil {
			return false
		}
		h := rr.Header()
		gone := slices.Contains(what, Records)
		if gone || unkey(b, what) {
			touched[set{dns.CanonicalName(h.Name), h.Rrtype}] = true
		}
		return gone
	})
	if len(touched) == 0 {
		return false
	}
	*section = slices.DeleteFunc(*section, func(rr dns.RR) bool {
		signature, ok := rr.(*dns.RRSIG)
		return ok && touched[set{dns.CanonicalName(signature.Hdr.Name), signature.TypeCovered}]
	})
	return true
}

// binding returns the record if it is of type SVCB or HTTPS, else nil.
func binding(rr dns.RR) *dns.SVCB {
	switch rr := rr.(type) {
	case *dns.SVCB:
		return rr
	case *dns.HTTPS:
		return &rr.SVCB
	}
	return nil
}

// unkey takes out of a record what is to go, and reports whether it was there.
func unkey(rr *dns.SVCB, what []Strip) bool {
	changed := false
	if slices.Contains(what, Keys) {
		changed = drop(rr, dns.SVCB_ECHCONFIG)
	}
	if slices.Contains(what, HTTP3) && unoffer(rr) {
		changed = true
	}
	return changed
}

// unoffer takes HTTP/3 and its drafts out of the protocols of a record, and reports
// whether they were there. With the last one the parameter goes, and
// no-default-alpn, which must not stand without it (RFC 9460, Section 7.1.1). A
// client then tries the default protocol.
func unoffer(rr *dns.SVCB) bool {
	before, left := 0, 0
	rr.Value = slices.DeleteFunc(rr.Value, func(v dns.SVCBKeyValue) bool {
		offer, ok := v.(*dns.SVCBAlpn)
		if !ok {
			return false
		}
		before += len(offer.Alpn)
		offer.Alpn = slices.DeleteFunc(offer.Alpn, func(id string) bool { return strings.HasPrefix(id, "h3") })
		left += len(offer.Alpn)
		return len(offer.Alpn) == 0
	})
	if left > 0 || before == 0 {
		return left < before
	}
	drop(rr, dns.SVCB_ALPN, dns.SVCB_NO_DEFAULT_ALPN)
	return true
}

// drop takes parameters out of a record, and reports whether one was there. A client
// must not use a record in which a mandatory key is missing (RFC 9460, Section 8): they
// are not mandatory any more.
func drop(rr *dns.SVCB, keys ...dns.SVCBKey) bool {
	before := len(rr.Value)
	rr.Value = slices.DeleteFunc(rr.Value, func(v dns.SVCBKeyValue) bool { return slices.Contains(keys, v.Key()) })
	there := len(rr.Value) < before
	rr.Value = slices.DeleteFunc(rr.Value, func(v dns.SVCBKeyValue) bool {
		m, ok := v.(*dns.SVCBMandatory)
		if !ok {
			return false
		}
		m.Code = slices.DeleteFunc(m.Code, func(k dns.SVCBKey) bool { return slices.Contains(keys, k) })
		return len(m.Code) == 0
	})
	return there
}

// truncated is the answer without records and with the word that there are some, so
// that the client asks again by TCP.
func truncated(answer []byte) []byte {
	m := new(dns.Msg)
	if m.Unpack(answer) != nil {
		return nil
	}
	edns := m.IsEdns0()
	m.Truncated, m.AuthenticatedData, m.Answer, m.Ns, m.Extra = true, false, nil, nil, nil
	if edns != nil {
		m.Extra = []dns.RR{edns}
	}
	p, err := m.Pack()
	if err != nil {
		return nil
	}
	return p
}
