package intake

import (
	"bufio"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"
)

func TestParseProxy(t *testing.T) {
	v2 := func(head, rest string) string { return signatureV2 + head + rest }
	tests := []struct {
		name, header, client, origin string
		bad                          bool
	}{
		{"v1, IPv4", "PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n", "192.0.2.1:56324", "198.51.100.1:443", false},
		{"v1, IPv6", "PROXY TCP6 2001:db8::1 2001:db8::2 1 2\r\n", "[2001:db8::1]:1", "[2001:db8::2]:2", false},
		{"v1, unknown", "PROXY UNKNOWN ffff::1 x y z\r\n", "", "", false},
		{"v1, family differs", "PROXY TCP6 192.0.2.1 198.51.100.1 1 2\r\n", "", "", true},
		{"v1, port", "PROXY TCP4 192.0.2.1 198.51.100.1 1 65536\r\n", "", "", true},
		{"v1, zone", "PROXY TCP6 fe80::1%lo 2001:db8::2 1 2\r\n", "", "", true},
		{"v1, too long", "PROXY UNKNOWN " + strings.Repeat("x", 200) + "\r\n", "", "", true},
		{"no header", "GET / HTTP/1.1\r\n\r\n", "", "", true},
		{"hello", "\x16\x03\x01\x02\x00", "", "", true},
		{"v2, IPv4", v2("\x21\x11\x00\x0c", "\xc0\x00\x02\x01\xc6\x33\x64\x01\x00\x01\x01\xbb"), "192.0.2.1:1", "198.51.100.1:443", false},
		{"v2, with more", v2("\x21\x11\x00\x10", "\xc0\x00\x02\x01\xc6\x33\x64\x01\x00\x01\x01\xbb\x04\x00\x01x"), "192.0.2.1:1", "198.51.100.1:443", false},
		{"v2, local", v2("\x20\x00\x00\x00", ""), "", "", false},
		{"v2, UNIX", v2("\x21\x31\x00\x02", "xx"), "", "", false},
		{"v2, addresses cut", v2("\x21\x21\x00\x0c", "123456789012"), "", "", true},
		{"v2, version", v2("\x31\x11\x00\x0c", "123456789012"), "", "", true},
		{"v2, too long", v2("\x21\x11\xff\xff", ""), "", "", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			whole := tt.header + "more"
			client, origin, n, err := parseProxy([]byte(whole))
			if (err != nil) != tt.bad || errors.Is(err, errProxyShort) {
				t.Fatalf("error %v", err)
			}
			if tt.bad {
				return
			}
			if n != len(tt.header) || client.IsValid() != (tt.client != "") || client.IsValid() && (client.String() != tt.client || origin.String() != tt.origin) {
				t.Errorf("%v, %v, %d octets", client, origin, n)
			}
			for cut := range n {
				if _, _, _, err := parseProxy([]byte(whole[:cut])); !errors.Is(err, errProxyShort) {
					t.Errorf("cut at %d: %v", cut, err)
				}
			}
		})
	}
}

func TestAppendProxy(t *testing.T) {
	for _, v := range []ProxyVersion{ProxyV1, ProxyV2} {
		for _, client := range []string{"192.0.2.1:5", "[2001:db8::1]:6"} {
			for _, origin := range []string{"198.51.100.1:443", "[2001:db8::2]:7"} {
				from, to := netip.MustParseAddrPort(client), netip.MustParseAddrPort(origin)
				b := appendProxy(nil, v, from, to)
				got, gotTo, n, err := parseProxy(b)
				if err != nil && v == ProxyV1 && from.Addr().Is4() != to.Addr().Is4() {
					t.Errorf("%q: %v", b, err)
				}
				if n != len(b) || got != from || gotTo != to {
					t.Errorf("version %s, %v to %v: read as %v to %v, %v", v, from, to, got, gotTo, err)
				}
			}
		}
	}
}

func FuzzParseProxy(f *testing.F) {
	f.Add([]byte("PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\nx"))
	f.Add([]byte(signatureV2 + "\x21\x11\x00\x0c\xc0\x00\x02\x01\xc6\x33\x64\x01\x00\x01\x01\xbb"))
	f.Fuzz(func(t *testing.T, b []byte) {
		client, origin, n, err := parseProxy(b)
		if err != nil {
			if n != 0 {
				t.Error("octets used of a header that is none")
			}
			return
		}
		if n <= 0 || n > len(b) {
			t.Fatalf("%d of %d octets used", n, len(b))
		}
		if client.IsValid() {
			again, to, _, err := parseProxy(appendProxy(nil, ProxyV2, client, origin))
			if err != nil || again != client || to != origin {
				t.Errorf("%v to %v: read again as %v to %v, %v", client, origin, again, to, err)
			}
		}
	})
}

// TestStaticProxy: a header counts from load balancers alone, and is passed on.
func TestStaticProxy(t *testing.T) {
	const header = "PROXY TCP4 192.0.2.1 198.51.100.1 5 443\r\n"
	for _, tt := range []struct {
		name  string
		from  string // of whom a header is taken
		send  ProxyVersion
		said  string
		want  string // what the origin gets; "": nothing
		known bool   // as a client of the header's
	}{
		{"taken", "127.0.0.0/8", NoProxy, header + "hello\n", "hello\n", true},
		{"from others, content", "10.0.0.0/8", NoProxy, header, header, false},
		{"missing", "127.0.0.0/8", NoProxy, "hello\n", "", false},
		{"passed on", "127.0.0.0/8", ProxyV1, header + "hello\n", "PROXY TCP4 192.0.2.1 127.0.0.1 5 ", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var r recorder
			i, err := NewStatic(Static{Listen: "127.0.0.1:0", Origin: echo(t).String(), ProxyFrom: []netip.Prefix{netip.MustParsePrefix(tt.from)}, ProxySend: tt.send}, r.options("s"))
			conn, err := net.Dial("tcp", serve(t, i, err))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			conn.Write([]byte(tt.said))
			read := bufio.NewReader(conn)
			if greeting, _ := read.ReadString('\n'); tt.want != "" && greeting != "hello\n" {
				t.Errorf("greeting %q", greeting)
			}
			line, err := read.ReadString('\n') // what the origin got comes back
			if !strings.HasPrefix(line, tt.want) || (tt.want == "") != (err != nil) {
				t.Errorf("origin got %q, %v", line, err)
			}
			if tt.want == "" {
				if r.count(BadRequest) != 1 {
					t.Error("not counted")
				}
				return
			}
			if got := r.seen()[0].Client.String() == "192.0.2.1:5"; got != tt.known {
				t.Errorf("client %v", r.seen()[0].Client)
			}
		})
	}
}

func TestCertificatesByName(t *testing.T) {
	if certificatesByName(nil) != nil || fixedCertificates(nil) != nil {
		t.Error("something of nothing")
	}
	if own := certificatesByName([]tls.Certificate{{}})("www.example.test", true); own != nil {
		t.Error("a certificate without a leaf is shown")
	}
}
