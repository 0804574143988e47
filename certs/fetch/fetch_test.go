package fetch

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// loopback allows what a test server needs.
var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}

func serve(t *testing.T, handler http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.URL
}

func TestFetch(t *testing.T) {
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Accept-Encoding") != "" || r.Header.Get("Cookie") != "" || r.Header.Get("Authorization") != "" {
			http.Error(w, "headers", http.StatusBadRequest)
			return
		}
		io.WriteString(w, r.Method+" "+r.Header.Get("Content-Type")+" ")
		io.Copy(w, r.Body)
	})
	c := New(Config{Allow: loopback})
	got, err := c.Fetch(t.Context(), url, "", nil, 100)
	if err != nil || string(got) != "GET  " {
		t.Errorf("got %q, %v", got, err)
	}
	got, err = c.Fetch(t.Context(), url, "text/x", []byte("question"), 100)
	if err != nil || string(got) != "POST text/x question" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestLimit(t *testing.T) {
	for _, row := range []struct {
		name    string
		octets  int
		chunked bool
		ok      bool
	}{
		{"at the limit", 100_000, false, true},
		{"at the limit, length unknown", 100_000, true, true},
		{"above", 100_001, false, false},
		{"above, length unknown", 100_001, true, false},
		{"far above, length unknown", 3_000_000, true, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			url := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				if row.chunked {
					w.(http.Flusher).Flush()
				}
				w.Write(make([]byte, row.octets))
			})
			got, err := New(Config{Allow: loopback}).Fetch(t.Context(), url, "", nil, 100_000)
			if (err == nil) != row.ok || row.ok && len(got) != row.octets || cap(got) > 100_001 {
				t.Errorf("%d octets in memory for %d, %v", len(got), cap(got), err)
			}
			if !row.ok && (!errors.Is(err, ErrTooLong) || !strings.Contains(err.Error(), "at most 100000")) {
				t.Errorf("the error does not say so: %v", err)
			}
		})
	}
}

func TestNoRedirect(t *testing.T) {
	var hits int
	var url string
	url = serve(t, func(w http.ResponseWriter, r *http.Request) {
		hits++
		http.Redirect(w, r, url, http.StatusFound)
	})
	_, err := New(Config{Allow: loopback}).Fetch(t.Context(), url, "", nil, 100)
	if err == nil || hits != 1 || !strings.Contains(err.Error(), "302") {
		t.Errorf("%d requests, %v", hits, err)
	}
}

func TestTime(t *testing.T) {
	ended := make(chan struct{})
	url := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Write([]byte("slow"))
		w.(http.Flusher).Flush()
		<-ended
	})
	defer close(ended)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := New(Config{Allow: loopback}).Fetch(ctx, url, "", nil, 100); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

func TestURLs(t *testing.T) {
	c := New(Config{Allow: loopback})
	for _, url := range []string{
		"", "https://127.0.0.1/", "ldap://127.0.0.1/", "file:///etc/passwd", "http://", "http:///x", "//127.0.0.1/",
		"http://user:word@127.0.0.1/", "http://user@127.0.0.1/", "http://127.0.0.1/%zz", "http://127.0.0.1/" + strings.Repeat("x", maxURL),
	} {
		if _, err := c.Fetch(t.Context(), url, "", nil, 100); err == nil || errors.Is(err, ErrUnreachable) {
			t.Errorf("%.40q: got %v", url, err)
		}
	}
}

// A name may resolve to anything: the address counts, and it is checked when it
// is connected to.
func TestAddresses(t *testing.T) {
	var asked bool
	url := serve(t, func(http.ResponseWriter, *http.Request) { asked = true })
	_, port, _ := net.SplitHostPort(strings.TrimPrefix(url, "http://"))
	for _, host := range []string{"127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "[::]"} {
		_, err := New(Config{}).Fetch(t.Context(), "http://"+host+":"+port+"/", "", nil, 100)
		if !errors.Is(err, ErrUnreachable) || asked {
			t.Errorf("%s: asked: %v, %v", host, asked, err)
		}
	}

	own := &net.IPNet{IP: net.IPv4(203, 0, 113, 9), Mask: net.CIDRMask(24, 32)}
	c := New(Config{Allow: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("fd00:1::/32")}})
	c.own = func() ([]net.Addr, error) { return []net.Addr{own}, nil }
	for address, want := range map[string]bool{
		"198.51.100.1": true, "1.1.1.1": true, "2606:4700::1111": true, "64:ff9b::101:101": true, "::ffff:1.1.1.1": true,
		"10.1.2.3": true, "fd00:1::5": true, // allowed
		"203.0.113.9": false, "203.0.113.8": true, // own, and a neighbour
		"10.2.0.1": false, "172.16.0.1": false, "192.168.1.1": false, "127.0.0.2": false, "169.254.169.254": false,
		"100.64.0.1": false, "0.1.2.3": false, "224.0.0.1": false, "255.255.255.255": false, "240.0.0.1": false, "192.0.0.8": false,
		"198.18.0.1": false, "::": false, "::1": false, "fe80::1": false, "fe80::1%eth0": false, "fd00:2::1": false, "ff02::1": false,
		"64:ff9b::a02:1": false, "64:ff9b::7f00:1": false, "::ffff:10.2.0.1": false, "2002:a02:1::1": false, "2001::1": false, "4000::1": false,
	} {
		err := c.check(net.JoinHostPort(address, "80"))
		if (err == nil) != want {
			t.Errorf("%s: got %v", address, err)
		}
	}
	if err := c.check("nonsense"); err == nil {
		t.Error("nonsense passes")
	}
}

func TestSlots(t *testing.T) {
	c := New(Config{Allow: loopback})
	for range maxAtOnce {
		c.slots <- struct{}{}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := c.Fetch(ctx, "http://127.0.0.1:9/", "", nil, 1); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	<-c.slots
	url := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.Write(bytes.Repeat([]byte{1}, 3)) })
	if got, err := c.Fetch(t.Context(), url, "", nil, 3); len(got) != 3 || err != nil {
		t.Errorf("got %d octets, %v", len(got), err)
	}
}
