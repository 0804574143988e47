package dns

import (
	"net"
	"reflect"
	"testing"

	"github.com/miekg/dns"
)

// packed returns a message as the DNS library writes it.
func packed(t testing.TB, answer bool, kind uint16, records ...string) []byte {
	m := new(dns.Msg)
	m.SetQuestion("www.例え.test.", kind)
	m.SetEdns0(1232, false)
	if answer {
		m.Response = true
		for _, r := range records {
			rr, err := dns.NewRR(r)
			if err != nil {
				t.Fatal(err)
			}
			m.Answer = append(m.Answer, rr)
		}
	}
	m.Id = 77
	m.Compress = true
	b, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestParse(t *testing.T) {
	query := packed(t, false, dns.TypeAAAA)
	m, ok := Parse(query)
	if want := (Message{ID: 77, Name: "www.例え.test", Type: "AAAA"}); !ok || !reflect.DeepEqual(m, want) {
		t.Errorf("%+v", m)
	}
	response := packed(t, true, dns.TypeA, "www.例え.test. 60 IN CNAME a.example.", "a.example. 60 IN A 192.0.2.7", "a.example. 60 IN AAAA 2001:db8::7",
		"a.example. 60 IN MX 10 mx.example.", `a.example. 60 IN TXT "one" "two"`, "a.example. 60 IN SRV 1 1 443 s.example.", "a.example. 60 IN CAA 0 issue \"x\"")
	m, ok = Parse(response)
	want := []string{"a.example", "192.0.2.7", "2001:db8::7", "mx.example", "onetwo", "s.example:443"}
	if !ok || !m.Response || !reflect.DeepEqual(m.Answers, want) {
		t.Errorf("%+v", m)
	}
	if m, ok := Parse(packed(t, false, dns.TypeHTTPS)); !ok || m.Type != "HTTPS" {
		t.Errorf("%+v", m)
	}
	for n := range len(query) - 11 - 1 { // without the additional record it is a query, too
		if m, ok := Parse(query[:n]); ok && n < len(query)-11 {
			t.Errorf("%d octets are %+v", n, m)
		}
	}
	if _, ok := Parse(net.IPv6zero); ok {
		t.Error("zeros are a message")
	}
}

func FuzzParse(f *testing.F) {
	f.Add(packed(f, false, dns.TypeA))
	f.Add(packed(f, true, dns.TypeA, "a.example. 60 IN A 192.0.2.7", `a.example. 60 IN TXT "one"`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if m, ok := Parse(b); ok && len(m.Answers) > MaxAnswers {
			t.Errorf("%d answers", len(m.Answers))
		}
	})
}
