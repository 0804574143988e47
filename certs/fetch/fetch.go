// Package fetch gets small files over plain HTTP: revocation lists and OCSP
// responses. The addresses are not ours: they come from origins' certificates. The
// files are signed and need no TLS. They must not use TLS: if a fetch had to judge a
// certificate, it could start the next fetch.
//
// The package bounds time and size. It follows no redirect and uses no proxy, cookie
// or credential. It connects to public addresses only, see [Config].
package fetch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"syscall"
)

// ErrTooLong is wrapped by the error for an answer above its limit.
var ErrTooLong = errors.New("answer too long")

// ErrUnreachable is wrapped by errors that lie in the way to a server, not in
// the one file that was asked for: resolving, connecting, or no answer in time.
var ErrUnreachable = errors.New("server not reached")

const (
	maxAtOnce  = 32       // connections of a client
	maxURL     = 2048     // octets
	maxHeader  = 16 << 10 // octets of an answer's header
	firstGrant = 64 << 10 // octets set aside before an answer has shown that it is long
)

// Config configures a [Client].
type Config struct {
	// Allow are networks that may be asked although they are not public.
	// Otherwise a name that resolves to a loopback, link-local, private,
	// shared, multicast or reserved address, or to one of this machine's own, is
	// not connected to.
	Allow []netip.Prefix
	// Resolver resolves names; nil means the system's.
	Resolver *net.Resolver
}

// Client fetches. It keeps no connection open. Safe for concurrent use.
type Client struct {
	http  *http.Client
	slots chan struct{}
	allow []netip.Prefix
	own   func() ([]net.Addr, error)
}

// New returns a client. It copies nothing of cfg.Allow, which must not change.
func New(cfg Config) *Client {
	c := &Client{
		slots: make(chan struct{}, maxAtOnce),
		allow: cfg.Allow,
		own:   net.InterfaceAddrs,
	}
	dialer := &net.Dialer{
		Resolver: cfg.Resolver,
		// The address is the one that connect(2) gets: a name cannot resolve to
		// another one in between.
		Control: func(_, address string, _ syscall.RawConn) error { return c.check(address) },
	}
	c.http = &http.Client{
		Transport: &http.Transport{
			DialContext:            dialer.DialContext,
			DisableKeepAlives:      true,
			DisableCompression:     true, // a limit counts what arrives
			MaxResponseHeaderBytes: maxHeader,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return c
}

// Fetch returns what the server says to a GET, or, if body is not nil, to a POST
// of body, which it borrows. The answer must be 200 and have at most limit
// octets. ctx bounds the whole of it and should have a deadline. Errors wrap
// [ErrTooLong], [ErrUnreachable] or neither.
func (c *Client) Fetch(ctx context.Context, address, mediaType string, body []byte, limit int64) ([]byte, error) {
	if err := checkURL(address); err != nil {
		return nil, err
	}
	select {
	case c.slots <- struct{}{}:
		defer func() { <-c.slots }()
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for one of %d fetches to end: %w", maxAtOnce, ctx.Err())
	}
	method, content := http.MethodGet, io.Reader(nil)
	if body != nil {
		method, content = http.MethodPost, bytes.NewReader(body)
	}
	request, err := http.NewRequestWithContext(ctx, method, address, content)
	if err != nil {
		return nil, fmt.Errorf("form request: %v", err)
	}
	request.Header.Set("User-Agent", "clearspan")
	if body != nil {
		request.Header.Set("Content-Type", mediaType)
	}
	answer, err := c.http.Do(request)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("status %d, want 200 (redirects are not followed)", answer.StatusCode)
	}
	if answer.ContentLength > limit {
		return nil, fmt.Errorf("%w: %d octets, want at most %d", ErrTooLong, answer.ContentLength, limit)
	}
	got, err := read(answer.Body, min(max(answer.ContentLength, 0), firstGrant), limit+1)
	if err != nil {
		return nil, fmt.Errorf("read answer: %w", err)
	}
	if int64(len(got)) > limit {
		return nil, fmt.Errorf("%w: want at most %d octets", ErrTooLong, limit)
	}
	return got, nil
}

// read returns what r has, and no more than the first most octets of it. Memory for
// expected octets is taken at once; then it doubles, but not beyond most.
func read(r io.Reader, expected, most int64) ([]byte, error) {
	got := make([]byte, 0, min(expected+bytes.MinRead, most))
	for {
		if len(got) == cap(got) {
			if int64(cap(got)) >= most {
				return got, nil
			}
			got = append(make([]byte, 0, min(2*int64(cap(got)), most)), got...)
		}
		n, err := r.Read(got[len(got):cap(got)])
		got = got[:len(got)+n]
		if err == io.EOF {
			return got, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// checkURL refuses all but plain HTTP without credentials.
func checkURL(address string) error {
	if len(address) > maxURL {
		return fmt.Errorf("URL of %d octets, want at most %d", len(address), maxURL)
	}
	u, err := url.Parse(address)
	switch {
	case err != nil:
		return errors.New("URL cannot be parsed")
	case u.Scheme != "http":
		return fmt.Errorf("URL scheme %q, want http", u.Scheme)
	case u.User != nil:
		return errors.New("URL with credentials")
	case u.Hostname() == "":
		return errors.New("URL without a host")
	}
	return nil
}

// check says why an address, as the dialer resolved it, must not be asked.
func (c *Client) check(address string) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("address %q: %v", address, err)
	}
	addr := to.Addr().Unmap().WithZone("")
	if slices.ContainsFunc(c.allow, func(p netip.Prefix) bool { return p.Contains(addr) }) {
		return nil
	}
	if !public(addr) {
		return fmt.Errorf("address %s is not public", addr)
	}
	own, err := c.own()
	if err != nil {
		return fmt.Errorf("list own addresses: %v", err)
	}
	for _, a := range own {
		if prefix, err := netip.ParsePrefix(a.String()); err == nil && prefix.Addr().Unmap() == addr {
			return fmt.Errorf("address %s is this machine's own", addr)
		}
	}
	return nil
}
