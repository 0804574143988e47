package nameserver

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"
)

const key = `ech="AEX+DQBBpQAgACB/Kw=="`

// message is an answer with these records.
func message(tb testing.TB, answer, extra []string) *dns.Msg {
	tb.Helper()
	m := new(dns.Msg)
	m.SetQuestion("www.example.test.", dns.TypeHTTPS)
	m.Response, m.AuthenticatedData, m.Compress = true, true, true
	for to, lines := range map[*[]dns.RR][]string{&m.Answer: answer, &m.Extra: extra} {
		for _, line := range lines {
			rr, err := dns.NewRR(line)
			if err != nil {
				tb.Fatal(err)
			}
			*to = append(*to, rr)
		}
	}
	m.SetEdns0(1232, true)
	return m
}

func packed(tb testing.TB, m *dns.Msg) []byte {
	tb.Helper()
	p, err := m.Pack()
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

func TestStrip(t *testing.T) {
	const (
		signed = ` 3600 IN RRSIG HTTPS 13 3 3600 20300101000000 20200101000000 1 example.test. AAAA`
		other  = `www.example.test. 3600 IN RRSIG CNAME 13 3 3600 20300101000000 20200101000000 1 example.test. AAAA`
	)
	for _, tt := range []struct {
		name    string
		what    []Strip
		answer  []string
		extra   []string
		want    []string // of both sections, nil: unchanged
		removed string
	}{
		{name: "no such record", answer: []string{"www.example.test. 60 IN A 192.0.2.1"}},
		{name: "no key", answer: []string{"www.example.test. 60 IN HTTPS 1 . alpn=h2"}},
		{name: "alias", answer: []string{"www.example.test. 60 IN HTTPS 0 other.example.test."}},
		{name: "key", answer: []string{"www.example.test. 60 IN HTTPS 1 . alpn=h2 " + key + " ipv4hint=192.0.2.1"},
			want: []string{`www.example.test. 60 IN HTTPS 1 . alpn="h2" ipv4hint="192.0.2.1"`}},
		{name: "SVCB, in the letters of the question", answer: []string{"_8443._https.WWW.example.test. 60 IN SVCB 1 a.test. " + key},
			want: []string{"_8443._https.WWW.example.test. 60 IN SVCB 1 a.test."}},
		{name: "mandatory", answer: []string{`www.example.test. 60 IN HTTPS 1 . mandatory=alpn,ech alpn=h2 ` + key},
			want: []string{`www.example.test. 60 IN HTTPS 1 . mandatory="alpn" alpn="h2"`}},
		{name: "alone mandatory", answer: []string{`www.example.test. 60 IN HTTPS 1 . mandatory=ech ` + key},
			want: []string{`www.example.test. 60 IN HTTPS 1 .`}},
		{name: "signed", answer: []string{"www.example.test. 60 IN HTTPS 1 . " + key, "WWW.example.test." + signed, "other.example.test." + signed, other},
			want: []string{"www.example.test. 60 IN HTTPS 1 .", "other.example.test." + signed, other}},
		{name: "beside the answer", answer: []string{"www.example.test. 60 IN CNAME a.test."}, extra: []string{"a.test. 60 IN HTTPS 1 . " + key},
			want: []string{"www.example.test. 60 IN CNAME a.test.", "a.test. 60 IN HTTPS 1 ."}},
		{name: "HTTP/3", what: []Strip{HTTP3}, answer: []string{`www.example.test. 60 IN HTTPS 1 . alpn="h3,h3-29,h2" port=443 ` + key},
			want: []string{`www.example.test. 60 IN HTTPS 1 . alpn="h2" port="443" ` + key}},
		{name: "HTTP/3 alone", what: []Strip{HTTP3}, answer: []string{`www.example.test. 60 IN HTTPS 1 . alpn=h3 ipv4hint=192.0.2.1`},
			want: []string{`www.example.test. 60 IN HTTPS 1 . ipv4hint="192.0.2.1"`}},
		{name: "HTTP/3 alone without a default", what: []Strip{HTTP3}, answer: []string{`www.example.test. 60 IN HTTPS 1 . mandatory=alpn,no-default-alpn,port alpn=h3 no-default-alpn port=443`},
			want: []string{`www.example.test. 60 IN HTTPS 1 . mandatory="port" port="443"`}},
		{name: "HTTP/3 beside a default", what: []Strip{HTTP3}, answer: []string{`www.example.test. 60 IN HTTPS 1 . mandatory=alpn alpn="h3,h2" no-default-alpn`},
			want: []string{`www.example.test. 60 IN HTTPS 1 . mandatory="alpn" alpn="h2" no-default-alpn=""`}},
		{name: "HTTP/3 mandatory alone", what: []Strip{HTTP3}, answer: []string{`www.example.test. 60 IN HTTPS 1 . mandatory=alpn alpn=h3`},
			want: []string{`www.example.test. 60 IN HTTPS 1 .`}},
		{name: "no HTTP/3", what: []Strip{HTTP3}, answer: []string{`www.example.test. 60 IN HTTPS 1 . alpn=h2 ` + key}},
		{name: "no protocols", what: []Strip{HTTP3}, answer: []string{`www.example.test. 60 IN HTTPS 1 . ` + key}},
		{name: "HTTP/3, signed", what: []Strip{HTTP3}, answer: []string{"www.example.test. 60 IN HTTPS 1 . alpn=h3,h2", "WWW.example.test." + signed, other},
			want: []string{"www.example.test. 60 IN HTTPS 1 . alpn=h2", other}},
		{name: "keys and HTTP/3", what: []Strip{Keys, HTTP3}, answer: []string{`www.example.test. 60 IN HTTPS 1 . mandatory=alpn,ech alpn=h3,h2 ` + key, `www.example.test. 60 IN HTTPS 2 . alpn=h2`},
			want: []string{`www.example.test. 60 IN HTTPS 1 . mandatory="alpn" alpn="h2"`, `www.example.test. 60 IN HTTPS 2 . alpn="h2"`}},
		{name: "records", what: []Strip{Records}, answer: []string{"www.example.test. 60 IN CNAME a.test.", "a.test. 60 IN HTTPS 1 . alpn=h2", "a.test. 60 IN HTTPS 2 . port=8443", "a.test." + signed},
			want: []string{"www.example.test. 60 IN CNAME a.test."}},
		{name: "no records", what: []Strip{Records}, answer: []string{"www.example.test. 60 IN A 192.0.2.1"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.what == nil {
				tt.what = []Strip{Keys}
			}
			before := packed(t, message(t, tt.answer, tt.extra))
			kept := bytes.Clone(before)
			out, changed, err := strip(before, tt.what)
			if err != nil || changed != (tt.want != nil) || !bytes.Equal(before, kept) {
				t.Fatalf("changed %t, %v", changed, err)
			}
			if !changed {
				if !bytes.Equal(out, before) {
					t.Error("passed otherwise than it came")
				}
				return
			}
			m := new(dns.Msg)
			if err := m.Unpack(out); err != nil {
				t.Fatal(err)
			}
			var got, want []string
			for _, rr := range slices.Concat(m.Answer, m.Extra) {
				if rr.Header().Rrtype != dns.TypeOPT {
					got = append(got, rr.String())
				}
			}
			for _, line := range tt.want {
				rr, err := dns.NewRR(line)
				if err != nil {
					t.Fatal(err)
				}
				want = append(want, rr.String())
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
			if o := m.IsEdns0(); m.AuthenticatedData || o == nil || !o.Do() || o.UDPSize() != 1232 || len(out) > len(before) {
				t.Errorf("%d octets from %d: %v", len(out), len(before), m)
			}
		})
	}
}

// What is passed on is understood, and holds nothing of what was to go.
func FuzzStrip(f *testing.F) {
	f.Add(packed(f, message(f, []string{"www.example.test. 60 IN HTTPS 1 . mandatory=ech alpn=h2 " + key}, nil)), byte(1))
	f.Add(packed(f, message(f, []string{"www.example.test. 60 IN A 192.0.2.1"}, []string{"a.test. 60 IN SVCB 1 b.test. " + key})), byte(4))
	f.Add(packed(f, message(f, []string{`www.example.test. 60 IN TXT "` + strings.Repeat("x", 200) + `"`}, nil)), byte(1))
	f.Add(packed(f, message(f, []string{"www.example.test. 60 IN HTTPS 1 . mandatory=alpn,no-default-alpn alpn=h3,h3-29 no-default-alpn " + key}, nil)), byte(3))
	f.Fuzz(func(t *testing.T, p []byte, which byte) {
		var what []Strip
		for i, s := range []Strip{Keys, HTTP3, Records} {
			if which>>i&1 != 0 {
				what = append(what, s)
			}
		}
		out, changed, err := strip(p, what)
		if err != nil {
			return
		}
		m := new(dns.Msg)
		if err := m.Unpack(out); err != nil {
			t.Fatalf("what was passed on is not understood: %v", err)
		}
		for _, rr := range slices.Concat(m.Answer, m.Ns, m.Extra) {
			if b := binding(rr); b != nil && remains(b, what) {
				t.Fatalf("passed on: %v", rr)
			}
		}
		if again, twice, err := strip(out, what); err != nil || twice || changed && !bytes.Equal(again, out) {
			t.Fatalf("not done at once: %v", err)
		}
	})
}

// remains reports whether a record has something that should have gone.
func remains(rr *dns.SVCB, what []Strip) bool {
	return slices.Contains(what, Records) || slices.ContainsFunc(rr.Value, func(v dns.SVCBKeyValue) bool {
		offer, ok := v.(*dns.SVCBAlpn)
		return slices.Contains(what, Keys) && v.Key() == dns.SVCB_ECHCONFIG ||
			slices.Contains(what, HTTP3) && ok && slices.ContainsFunc(offer.Alpn, func(id string) bool { return strings.HasPrefix(id, "h3") })
	})
}
