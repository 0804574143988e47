package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"time"
)

// Leaf is how leaves are forged.
type Leaf struct {
	// Lifetime bounds a leaf's validity. Default 24h; 1h to 4320h (180 days),
	// as clients refuse leaves that live longer.
	Lifetime time.Duration
	// Cache is how many leaves are kept. Default 100000.
	Cache int
	// CRL is where clients find our revocation list, an http address without a
	// slash at its end, below which the file lies; empty for leaves that name
	// none. "true" in the file stands for the address of Authority.Publish.
	CRL string
}

// Client is how the client leg is run.
type Client struct {
	// MinTLS is the lowest version offered to clients: tls.VersionTLS12, the
	// default, or tls.VersionTLS13.
	MinTLS uint16
	// HandshakeTimeout bounds the client's handshake, from the first octet of its
	// hello to the end of that, and then what follows. Default 10s.
	HandshakeTimeout time.Duration
	// SilenceTimeout ends a session in which neither end has said anything. Default
	// 1m.
	SilenceTimeout time.Duration
	// IdleTimeout ends a session in which nothing moves. Default 1h.
	IdleTimeout time.Duration
	// Resumption lets clients resume their sessions with an origin. Default true.
	Resumption bool
}

// leaf reads n; publish is where certificates are published.
func (r *reader) leaf(n *node, publish string) (l Leaf) {
	t := r.table(n, "leaf")
	l.CRL = value(t, "crl", "", parseCRL(publish))
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
			return "", fmt.Errorf("want true, false or an address such as http://ca.example.test:10080, not %q", s)
		}
		return strings.TrimSuffix(s, "/"), nil
	}
}

func (r *reader) client(n *node) (c Client) {
	t := r.table(n, "client")
	t.fill("client", "", &c)
	t.close()
	return c
}
