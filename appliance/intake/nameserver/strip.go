package nameserver

import (
	"fmt"
	"slices"

	"github.com/miekg/dns"
)

// strip returns an answer without what is to be taken out, and whether there was
// any of it; if not, out is answer itself. Signatures of the records that changed
// go, too, and so does the word that the answer was validated (RFC 4035, Section
// 3.2.3). A message that is not wholly understood is an error.
func strip(answer []byte, what Strip) (out []byte, changed bool, err error) {
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
func thin(section *[]dns.RR, what Strip) bool {
	touched := make(map[set]bool)
	*section = slices.DeleteFunc(*section, func(rr dns.RR) bool {
		b := binding(rr)
		if b == nil {
			return false
		}
		h := rr.Header()
		if what == Records {
			touched[set{dns.CanonicalName(h.Name), h.Rrtype}] = true
			return true
		}
		if unkey(b) {
			touched[set{dns.CanonicalName(h.Name), h.Rrtype}] = true
		}
		return false
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

// unkey takes the parameter ech out of a record, and reports whether it was there.
func unkey(rr *dns.SVCB) bool {
	before := len(rr.Value)
	rr.Value = slices.DeleteFunc(rr.Value, func(v dns.SVCBKeyValue) bool { return v.Key() == dns.SVCB_ECHCONFIG })
	if len(rr.Value) == before {
		return false
	}
	// A client must not use a record in which a mandatory key is missing (RFC 9460,
	// Section 8).
	rr.Value = slices.DeleteFunc(rr.Value, func(v dns.SVCBKeyValue) bool {
		m, ok := v.(*dns.SVCBMandatory)
		if !ok {
			return false
		}
		m.Code = slices.DeleteFunc(m.Code, func(k dns.SVCBKey) bool { return k == dns.SVCB_ECHCONFIG })
		return len(m.Code) == 0
	})
	return true
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
