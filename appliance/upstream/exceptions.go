package upstream

import (
	"errors"
	"net/netip"
	"strings"
)

// Exception is an origin, or several, that are reached without a proxy: a name, a
// pattern such as *.example.test for all names below example.test, an address or a
// network. The zero value is none.
type Exception struct {
	name   string // lower case, without final dot
	below  bool   // names below name
	prefix netip.Prefix
}

// ParseException reads NAME, *.NAME, .NAME, ADDRESS or ADDRESS/BITS. As in the environment
// variable no_proxy, .NAME is NAME and what is below it; here, too, *.NAME is only what is
// below.
func ParseException(s string) (Exception, error) {
	if p, err := netip.ParsePrefix(s); err == nil {
		return Exception{prefix: p.Masked()}, nil
	}
	if a, err := netip.ParseAddr(s); err == nil {
		a = a.Unmap()
		return Exception{prefix: netip.PrefixFrom(a, a.BitLen())}, nil
	}
	name, below := strings.CutPrefix(s, "*.")
	name = fold(name)
	if bare := strings.TrimPrefix(name, "."); bare == "" || strings.ContainsAny(bare, "*/:, ") || strings.HasPrefix(bare, ".") {
		return Exception{}, errors.New("want a name, *.NAME, an address or a network such as 10.0.0.0/8")
	}
	return Exception{name: name, below: below}, nil
}

func fold(name string) string { return strings.ToLower(strings.TrimSuffix(name, ".")) }

// Exceptions are the origins that no proxy is asked for.
type Exceptions []Exception

// Has reports whether the target is among them: by its name, or by its address if the
// name or the client led to that.
func (e Exceptions) Has(to Target) bool {
	name := fold(to.Name)
	for _, x := range e {
		if x.met(name, to.Addr.Addr()) {
			return true
		}
	}
	return false
}

func (x Exception) met(name string, addr netip.Addr) bool {
	switch {
	case x.prefix.IsValid():
		return addr.IsValid() && x.prefix.Contains(addr.Unmap())
	case name == "":
		return false
	case x.below:
		return strings.HasSuffix(name, "."+x.name)
	case strings.HasPrefix(x.name, "."):
		return name == x.name[1:] || strings.HasSuffix(name, x.name)
	}
	return name == x.name
}
