package icap

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Default ports by scheme (RFC 3507, Section 4.2, and common use).
const (
	Port    = "1344"
	PortTLS = "11344"
)

// Limits of a configuration.
const (
	MaxServers = 16
	MaxReplay  = 1 << 20 // octets
	MaxPreview = 1 << 20 // octets
)

// Fact is something about a message's ends that a server may be told.
type Fact string

const (
	ClientIP   Fact = "client-ip"   // X-Client-IP
	ClientPort Fact = "client-port" // X-Client-Port
	ServerIP   Fact = "server-ip"   // X-Server-IP
	User       Fact = "user"        // X-Authenticated-User
)

// Config configures a [Client]. The zero value of everything but URLs means its
// documented default.
type Config struct {
	// URLs name the servers of the service, such as icap://192.0.2.1:1344/avscan,
	// or icaps: over TLS. At most [MaxServers].
	URLs []string

	// Timeout is how long a server may keep a message waiting: for a connection,
	// for the next octets to be taken or to come, and, when the whole body was
	// sent, for the whole header of the answer. Default 30 s.
	Timeout time.Duration

	// MaxBody is the longest body that is shown to a server, in octets; 0: no
	// limit. A longer one goes past, or, with Oversize, is an error of reason
	// TooLarge. So is one that turned out to be longer when more than Replay was
	// read of it.
	MaxBody  int64
	Oversize bool

	// Replay is how many octets of a body are kept until the server has decided.
	// Default 64 KiB, at most [MaxReplay].
	Replay int

	// Preview is the longest preview in octets. Default: what the server wants, at
	// most [MaxPreview]. NoPreview sends none.
	Preview   int
	NoPreview bool

	// PassPaused has a body of unknown length pass the server by that pauses while the
	// server has all of it and has not answered, as long as at most Replay came.
	// Otherwise it waits.
	PassPaused bool

	// Connections bounds the connections to each server; the server may want
	// fewer. Default 64.
	Connections int
	// Queue bounds the messages that wait for a connection to a server. They wait
	// for Timeout at most. Default 1024.
	Queue int

	Tell []Fact // what servers are told
	// PlainUser sends the user as it is, if it is printable ASCII; else, as most
	// servers expect, Base64 of "Local://USER".
	PlainUser bool

	TLS    *tls.Config // for icaps; nil: the system's roots. The server's name is that of the URL
	Dial   func(ctx context.Context, network, address string) (net.Conn, error)
	Logger *slog.Logger // nil discards
}

// endpoint is a parsed URL.
type endpoint struct {
	uri     string // as in the request line
	host    string // for the field Host: host and port
	address string // to dial
	name    string // for TLS
	tls     bool
}

// CheckURL returns what is wrong with the URL of a server, nil if nothing.
func CheckURL(s string) error {
	_, err := parseURL(s)
	return err
}

// parseURL accepts icap://HOST[:PORT]/SERVICE[?QUERY]. What it returns holds no
// octet that could end a line or a word.
func parseURL(s string) (e endpoint, err error) {
	for _, c := range []byte(s) {
		if c <= ' ' || c >= 0x7f {
			return e, errors.New("want a URL in printable ASCII without blanks")
		}
	}
	u, err := url.Parse(s)
	if err != nil {
		return e, fmt.Errorf("want a URL such as icap://192.0.2.1:1344/avscan, not %q", s)
	}
	port := Port
	switch strings.ToLower(u.Scheme) {
	case "icap":
	case "icaps":
		port, e.tls = PortTLS, true
	default:
		return e, fmt.Errorf("want a URL that begins with icap:// or icaps://, not %q", s)
	}
	switch {
	case u.Hostname() == "":
		return e, errors.New("URL names no host")
	case u.User != nil:
		return e, errors.New("URL holds a user, which ICAP has no place for")
	case u.Fragment != "":
		return e, errors.New("URL holds a fragment")
	case u.Path == "" || u.Path == "/":
		return e, errors.New("URL names no service, such as /avscan")
	}
	if u.Port() != "" {
		port = u.Port()
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return e, fmt.Errorf("URL has a bad port %q", port)
	}
	e.name = u.Hostname()
	e.address = net.JoinHostPort(u.Hostname(), port)
	e.host = e.address
	e.uri = strings.ToLower(u.Scheme) + "://" + e.address + u.RequestURI()
	return e, nil
}
