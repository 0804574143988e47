package export

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"

	"github.com/clearspan/clearspan/appliance/query"
)

// Network is how an output is reached.
type Network string

// The networks of outputs.
const (
	File Network = "file"
	TCP  Network = "syslog+tcp"
	TLS  Network = "syslog+tls"
	UDP  Network = "syslog+udp"
)

// ports are those that a destination has without one of its own.
var ports = map[Network]string{TCP: "514", TLS: "6514", UDP: "514"}

// Format is how an entry is written.
type Format string

// The formats of entries.
const (
	JSON Format = "json" // as in the audit log
	CEF  Format = "cef"  // Common Event Format, version 0
)

// Output is one place to which entries go.
type Output struct {
	Name    string
	Network Network
	Address string // host:port, or the path of a file
	Format  Format
	Select  string // query that entries must match; "": all entries

	// Of TLS: paths of PEM files. Without a CA, the roots of the system count.
	CA, Certificate, Key string
	ServerName           string // that the certificate must have; "": the host of the address
}

// ParseAddress reads a destination: a URL such as syslog+tls://siem.example:6514, or the
// path of a file.
func ParseAddress(s string) (Network, string, error) {
	scheme, _, found := strings.Cut(s, "://")
	if !found {
		if strings.HasPrefix(s, "syslog") {
			return "", "", errors.New("want syslog+tls://, syslog+tcp:// or syslog+udp:// and a host")
		}
		return File, s, nil
	}
	network := Network(scheme)
	port, known := ports[network]
	if !known {
		return "", "", fmt.Errorf("unknown scheme %q, want syslog+tls, syslog+tcp or syslog+udp", scheme)
	}
	u, err := url.Parse(s)
	if err != nil || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || strings.Trim(u.Path, "/") != "" {
		return "", "", fmt.Errorf("want %s://HOST:PORT", scheme)
	}
	if u.Port() != "" {
		port = u.Port()
	}
	if _, err := net.LookupPort("tcp", port); err != nil || port == "0" {
		return "", "", fmt.Errorf("port %q: want 1 to 65535", port)
	}
	return network, net.JoinHostPort(u.Hostname(), port), nil
}

// query returns the query of the output, nil for all entries.
func (o Output) query() (*query.Query, error) {
	if o.Select == "" {
		return nil, nil
	}
	return query.Parse(o.Select)
}

// tls returns how the output uses TLS. RFC 5425, Section 4.2: both ends are authenticated,
// the client if it has a certificate.
func (o Output) tls() (*tls.Config, error) {
	if o.Network != TLS {
		return nil, nil
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: o.ServerName}
	if c.ServerName == "" {
		host, _, err := net.SplitHostPort(o.Address)
		if err != nil {
			return nil, err
		}
		c.ServerName = host
	}
	if o.CA != "" {
		pem, err := os.ReadFile(o.CA)
		if err != nil {
			return nil, fmt.Errorf("read CA: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("read CA: %s holds no certificate", o.CA)
		}
	}
	if o.Certificate != "" {
		pair, err := tls.LoadX509KeyPair(o.Certificate, o.Key)
		if err != nil {
			return nil, fmt.Errorf("load certificate: %w", err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}
