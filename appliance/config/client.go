package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"

	"github.com/clearspan/clearspan/certs"
	"github.com/clearspan/clearspan/decrypt"
)

// Leaf is how leaves are forged.
type Leaf struct {
	certs.LeafOptions
	// CRL is where clients find our revocation list, an http address without a
	// slash at its end, below which the file lies; empty for leaves that name
	// none. "true" in the file stands for the address of Authority.Publish.
	CRL string
}

// leaf reads n; publish is where certificates are published.
func (r *reader) leaf(n *node, publish string) (l Leaf) {
	t := r.table(n, "leaf")
	l.CRL = value(t, "crl", "", parseCRL(publish))
	r.pageURL(t, "crl", l.CRL)
	if l.CRL != "" && publish == "" {
		r.fail(t.place("crl"), "crl: the list needs authority.publish, which serves it")
	}
	t.fill("leaf", "", &l)
	t.close()
	return l
}

// parseCRL accepts "false", "true" if publish is an address that clients can
// reach, or where they reach it.
func parseCRL(publish string) func(string) (string, error) {
	return func(s string) (string, error) {
		switch s {
		case "false":
			return "", nil
		case "true":
			host, port, err := net.SplitHostPort(publish)
			addr, _ := netip.ParseAddr(host)
			if err == nil && (port == "0" || host == "" || addr.IsUnspecified()) {
				return "", errors.New("clients cannot reach the address in publish, write the address that they reach: http://HOST:PORT")
			}
			return "http://" + publish, nil
		}
		u, err := url.Parse(s)
		if err != nil || u.Scheme != "http" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
			return "", fmt.Errorf("want true, false or an address such as http://ca.example.test:8091, not %q", s)
		}
		return strings.TrimSuffix(s, "/"), nil
	}
}

func (r *reader) client(n *node) (c decrypt.ClientOptions) {
	t := r.table(n, "client")
	t.fill("client", "", &c)
	t.close()
	return c
}
