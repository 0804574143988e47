package upstream

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Proxy is a proxy that leads to origins. It is immutable and safe for concurrent use.
type Proxy struct {
	scheme   string // http, https or socks5
	name     string // host of the proxy, as configured
	address  string // host:port
	user     string
	password string
}

// defaultPorts are those of proxies whose address has none, by scheme.
var defaultPorts = map[string]string{"http": "80", "https": "443", "socks5": "1080"}

// Parse reads the address of a proxy: http://HOST:PORT, https://HOST:PORT or
// socks5://HOST:PORT, with USER:PASSWORD@ before HOST if the proxy asks for them. The
// error never holds the password.
func Parse(s string) (*Proxy, error) {
	u, err := url.Parse(s)
	if err != nil {
		return nil, errors.New("want http://HOST:PORT, https://HOST:PORT or socks5://HOST:PORT")
	}
	scheme := strings.ToLower(u.Scheme)
	if scheme == "socks5h" { // curl's word: the proxy resolves names, as it always does here
		scheme = "socks5"
	}
	port := u.Port()
	if port == "" {
		port = defaultPorts[scheme]
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if defaultPorts[scheme] == "" || u.Hostname() == "" || err != nil || number == 0 ||
		strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("want http://HOST:PORT, https://HOST:PORT or socks5://HOST:PORT, not %q", u.Redacted())
	}
	p := &Proxy{scheme: scheme, name: u.Hostname(), address: net.JoinHostPort(u.Hostname(), port)}
	if u.User != nil {
		password, _ := u.User.Password()
		return p.WithCredentials(u.User.Username(), password)
	}
	return p, nil
}

// WithCredentials returns the proxy with a user name and password, each of at most 255
// octets. A colon may stand in the password only.
func (p *Proxy) WithCredentials(user, password string) (*Proxy, error) {
	switch {
	case user == "" || len(user) > 255 || len(password) > 255:
		return nil, errors.New("want a user name of 1 to 255 octets, and a password of at most 255")
	case strings.ContainsAny(user+password, "\r\n\x00") || strings.Contains(user, ":"):
		return nil, errors.New("user name or password hold characters that the proxy protocols have no place for")
	}
	with := *p
	with.user, with.password = user, password
	return &with, nil
}

// HasCredentials tells whether the proxy has a user name and password.
func (p *Proxy) HasCredentials() bool { return p.user != "" }

// String returns the address of the proxy without user name and password.
func (p *Proxy) String() string { return p.scheme + "://" + p.address }

// Target is an origin. The proxy is given the name if there is one, so that it resolves
// it, else the address.
type Target struct {
	Name string // may be empty
	Addr netip.AddrPort
}

// host returns what the proxy is asked for.
func (t Target) host() string {
	if t.Name != "" {
		return net.JoinHostPort(t.Name, strconv.Itoa(int(t.Addr.Port())))
	}
	return t.Addr.String()
}

// keepAlive finds a proxy that vanished, as intakes find vanished clients.
var keepAlive = net.KeepAliveConfig{Enable: true, Idle: 60 * time.Second, Interval: 15 * time.Second, Count: 4}

// Dial returns a connection to the target by way of the proxy. It ends when ctx does: ctx
// needs a deadline. The connection's RemoteAddr is the target's address.
func (p *Proxy) Dial(ctx context.Context, to Target) (net.Conn, error) {
	conn, err := p.dial(ctx, to)
	if err != nil {
		return nil, fmt.Errorf("connect by way of %s: %w", p, err)
	}
	return conn, nil
}

func (p *Proxy) dial(ctx context.Context, to Target) (net.Conn, error) {
	if p.scheme == "socks5" {
		return p.socks(ctx, to)
	}
	conn, err := p.open(ctx, "tcp", p.address)
	if err != nil {
		return nil, err
	}
	through, err := p.connect(ctx, conn, to)
	if err != nil {
		conn.Close()
		return nil, err
	}
	return through, nil
}

// open connects to the proxy itself, over TLS if its scheme says so.
func (p *Proxy) open(ctx context.Context, network, address string) (net.Conn, error) {
	d := net.Dialer{KeepAliveConfig: keepAlive}
	d.SetMultipathTCP(false)
	conn, err := d.DialContext(ctx, network, address)
	if err != nil || p.scheme != "https" {
		return conn, err
	}
	secured := tls.Client(conn, &tls.Config{ServerName: p.name, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}})
	if err := secured.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, err
	}
	return secured, nil
}
