package policy

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
)

func TestCanonicalPath(t *testing.T) {
	for _, tt := range []struct {
		target, want string
		doubt        bool
	}{
		{"", "/", false},
		{"/", "/", false},
		{"/Upload/File?x=/../y", "/upload/file", false},
		{"/a//b/./c", "/a/b/c", false},
		{"/a/b/../c", "/a/c", false},
		{"/a/..", "/", false},
		{"/a/.", "/a/", false},
		{"/%75pload/x", "/upload/x", false},
		{"/x/%2e%2e/upload/y", "/upload/y", false},
		{"/a%20b", "/a b", false},
		{"/a#b", "/a", false},
		{"/../a", "/a", true},
		{"/a%2fb", "/a/b", true},
		{"/a\\b", "/a\\b", true},
		{"/a%5cb", "/a\\b", true},
		{"/a;x/b", "/a;x/b", true},
		{"/a%00", "/a\x00", true},
		{"/%2575pload", "/%75pload", true},
		{"/100%", "/100%", true},
		{"/%zz", "/%zz", true},
	} {
		var r Request
		r.SetTarget([]byte(tt.target))
		if string(r.Path()) != tt.want || r.Doubt != tt.doubt {
			t.Errorf("%s: %q, doubt %t", tt.target, r.Path(), r.Doubt)
		}
	}
}

func FuzzCanonicalPath(f *testing.F) {
	f.Add("/a/../%2e./b?x")
	f.Fuzz(func(t *testing.T, target string) {
		var r, again Request
		r.SetTarget([]byte(target))
		if r.Path()[0] != '/' {
			t.Fatalf("%q", r.Path())
		}
		if r.Doubt || strings.ContainsAny(string(r.Path()), "%?#") {
			return
		}
		if again.SetTarget(r.Path()); string(again.Path()) != string(r.Path()) {
			t.Errorf("%q, then %q", r.Path(), again.Path())
		}
	})
}

func TestGlob(t *testing.T) {
	for _, tt := range []struct {
		pattern, s string
		want       bool
	}{
		{"/a", "/a", true}, {"/a", "/ab", false}, {"/a/*", "/a/", true}, {"/a/*", "/a", false}, {"/a*b", "/axxb", true},
		{"/a*b*c", "/a/b/x/c", true}, {"/a*b*c", "/a/b/x/d", false}, {"*.exe", "/x/y.exe", true}, {"*", "/", true}, {"**", "", true},
	} {
		if glob(tt.pattern, []byte(tt.s)) != tt.want {
			t.Errorf("%s and %s", tt.pattern, tt.s)
		}
	}
}

func request(method, target string) *Request {
	r := &Request{Method: method}
	r.SetTarget([]byte(target))
	return r
}

func urls(t testing.TB, text string) *List {
	t.Helper()
	l, err := ReadURLList("phishing", "urls.txt", strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestRulesOnRequests(t *testing.T) {
	table, err := New([]Rule{
		{Name: "forms", Host: []string{"*.share.test"}, Path: []string{"/upload/forms/*"}, Action: Bump},
		{Name: "uploads", Host: []string{"*.share.test"}, Path: []string{"/upload/*"}, Method: []string{"POST", "PUT"}, Action: Terminate},
		{Name: "phishing", Category: []*List{urls(t, "www.good.test/login/\nhttps://all.evil.test:8443\n")}, Action: Terminate},
		{Name: "banks", Host: []string{"bank.test"}, Action: Tunnel},
	}, Bump)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		host    string
		request *Request
		want    string
	}{
		{"www.share.test", nil, "default"},
		{"www.share.test", request("GET", "/upload/x"), "default"},
		{"www.share.test", request("POST", "/upload/x"), "uploads"},
		{"www.share.test", request("POST", "/Upload/../UPLOAD/x?y"), "uploads"},
		{"www.share.test", request("POST", "/upload/forms/x"), "forms"},
		{"www.share.test", request("POST", "/upload/forms%2fx"), "uploads"},
		{"www.share.test", request("POST", "/other;x"), "uploads"},
		{"www.share.test", request("POST", "/other"), "default"},
		{"www.other.test", request("POST", "/upload/x"), "default"},
		{"www.good.test", nil, "default"},
		{"www.good.test", request("GET", "/login"), "phishing"},
		{"www.good.test", request("GET", "/LOGIN/a/b?c"), "phishing"},
		{"www.good.test", request("GET", "/loginx"), "default"},
		{"www.good.test", request("GET", "/"), "default"},
		{"www.good.test", request("GET", "/a;b"), "phishing"},
		{"other.good.test", request("GET", "/a;b/login"), "default"},
		{"all.evil.test", request("GET", "/any"), "phishing"},
		{"bank.test", request("GET", "/"), "banks"},
	} {
		f := &Facts{TLS: true, SNI: tt.host, Request: tt.request}
		if d := table.Decide(f); d.Rule != tt.want {
			t.Errorf("%s %v: rule %s, want %s", tt.host, tt.request, d.Rule, tt.want)
		}
		steps := table.Explain(f)
		if last := steps[len(steps)-1]; last.Rule != tt.want {
			t.Errorf("%s %v: explained by %s, want %s", tt.host, tt.request, last.Rule, tt.want)
		}
	}
	steps := table.Explain(&Facts{TLS: true, SNI: "www.share.test"})
	if got := steps[1].String(); !strings.Contains(got, "no request is known yet") {
		t.Error(got)
	}
	if got := table.Explain(&Facts{SNI: "www.good.test"})[2].String(); !strings.Contains(got, "no request is known yet") {
		t.Error(got)
	}
}

func TestRefusedRules(t *testing.T) {
	for _, r := range []Rule{
		{Path: []string{"/a"}, Action: Tunnel},
		{Method: []string{"GET"}, Action: TunnelCheck},
		{Path: []string{"/a"}, Treatment: Treatment{Learn: "off"}},
		{Category: []*List{urls(t, "a.test/x")}, Action: Tunnel},
		{Path: []string{"a"}}, {Path: []string{"/a?b"}}, {Path: []string{"/a%2fb"}}, {Method: []string{""}}, {Method: []string{"GET POST"}},
	} {
		if _, err := New([]Rule{r}, Bump); err == nil {
			t.Errorf("%v is taken", r)
		}
	}
}

func TestNeed(t *testing.T) {
	far := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	many := make([]Rule, 200)
	for i := range many {
		many[i] = Rule{Host: []string{fmt.Sprintf("h%d.test", i)}, Client: far, Action: Terminate}
	}
	for _, tt := range []struct {
		name    string
		rules   []Rule
		events  EventActions
		monitor bool
		want    Need
	}{
		{name: "nothing", want: NeedsNothing},
		{name: "ports", rules: []Rule{{Port: []PortRange{{1, 2}}, Action: Terminate}}, want: NeedsNothing},
		{name: "host", rules: []Rule{{Host: []string{"a.test"}, Action: Tunnel}}, want: NeedsHost},
		{name: "host of others", rules: []Rule{{Host: []string{"a.test"}, Client: far, Action: Tunnel}}, want: NeedsNothing},
		{name: "path", rules: []Rule{{Host: []string{"a.test"}, Action: Tunnel}, {Path: []string{"/a"}}}, want: NeedsRequest},
		{name: "path of others", rules: []Rule{{Host: []string{"a.test"}, Action: Tunnel}, {Path: []string{"/a"}, Client: far}}, want: NeedsHost},
		{name: "method", rules: []Rule{{Method: []string{"POST"}}}, want: NeedsRequest},
		{name: "URLs", rules: []Rule{{Category: []*List{urls(t, "a.test")}}}, want: NeedsRequest},
		{name: "event", events: EventActions{SNIMismatch: Terminate}, want: NeedsHost},
		{name: "monitor", rules: []Rule{{Path: []string{"/a"}}}, monitor: true, want: NeedsNothing},
		{name: "many of others", rules: many, want: NeedsHost}, // too many to look at
	} {
		table, err := New(tt.rules, Bump)
		if err != nil {
			t.Fatal(err)
		}
		table, _ = table.WithEvents(tt.events)
		if tt.monitor {
			table = table.Monitor()
		}
		if got := table.Requests(&Facts{SNI: "x.test", Client: netip.MustParseAddrPort("192.0.2.1:1")}); got != tt.want {
			t.Errorf("%s: %d, want %d", tt.name, got, tt.want)
		}
	}
}

func TestURLList(t *testing.T) {
	l := urls(t, "# feed\nhttps://User.evil.test/A/b/?q=1 # why\n192.0.2.1/x\n[2001:db8::1]:8080/y\nbücher.test\n")
	if l.Len() != 4 || !l.URLs() || l.Octets() == 0 {
		t.Errorf("%d entries", l.Len())
	}
	for url, want := range map[string]bool{
		"user.evil.test/a/b": true, "user.evil.test/a/B/c?d": true, "user.evil.test/a/bc": false, "user.evil.test/": false, "www.user.evil.test/a/b": false,
		"192.0.2.1/x/y": true, "2001:db8::1/y": true, "xn--bcher-kva.test/any": true,
	} {
		host, path, _ := strings.Cut(url, "/")
		if l.HasURL(host, "/"+path) != want {
			t.Errorf("%s: %t", url, !want)
		}
	}
	_, err := ReadURLList("l", "l.txt", strings.NewReader("ok.test\n\n  ftp://a.test/\n-/x\n/path\n"))
	if err == nil || !strings.Contains(err.Error(), "l.txt:3:3:") || !strings.Contains(err.Error(), "l.txt:5:1:") {
		t.Error(err)
	}
}

func BenchmarkURLList(b *testing.B) {
	var text strings.Builder
	for i := range 1_000_000 {
		fmt.Fprintf(&text, "host%d.test/login/%d\n", i/10, i)
	}
	l := urls(b, text.String())
	table, err := New([]Rule{{Category: []*List{l}, Action: Terminate}}, Bump)
	if err != nil {
		b.Fatal(err)
	}
	f := &Facts{SNI: "host7.test", TLS: true, Request: request("GET", "/login/other/page/below.html?x=y")}
	b.ReportAllocs()
	for b.Loop() {
		if table.Decide(f).Action != Bump {
			b.Fatal("terminated")
		}
	}
	b.ReportMetric(float64(l.Octets())/1e6, "octets/entry")
}
