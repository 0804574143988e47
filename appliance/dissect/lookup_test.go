package dissect_test

import (
	"encoding/binary"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"github.com/clearspan/clearspan/appliance/dissect"
	"github.com/clearspan/clearspan/hack/quicclient"
)

// query returns a query and its response.
func query(t testing.TB, name string, id uint16, code int, records ...string) (q, r string) {
	m := new(dns.Msg)
	m.SetQuestion(name, dns.TypeA)
	m.Id = id
	b, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	q = string(b)
	m.Response, m.Rcode = true, code
	for _, record := range records {
		rr, err := dns.NewRR(record)
		if err != nil {
			t.Fatal(err)
		}
		m.Answer = append(m.Answer, rr)
	}
	if b, err = m.Pack(); err != nil {
		t.Fatal(err)
	}
	return q, string(b)
}

// datagrams plays datagrams.
func datagrams(steps ...step) string {
	s := new(script)
	d := dissect.New(s, s)
	d.Datagrams()
	feed(d, 0, steps...)
	return strings.Join(s.lines, "\n") + "\n"
}

func TestLookup(t *testing.T) {
	q1, r1 := query(t, "www.example.test.", 1, 0, "www.example.test. 60 IN CNAME a.example.", "a.example. 60 IN A 192.0.2.7")
	q2, r2 := query(t, "gone.example.test.", 2, 3)
	q3, _ := query(t, "silent.example.test.", 3, 0)
	want := "lookup gone.example.test A true 3 []\nlookup www.example.test A true 0 [a.example 192.0.2.7]\nlookup silent.example.test A false 0 []\nstop ended\n"
	if diff := cmp.Diff(want, datagrams(up(q1), up(q2), up(q1), up("\x00"), down(r2), down(r1), up(q3))); diff != "" {
		t.Errorf("by UDP (-want +got):\n%s", diff)
	}
	counted := func(m string) string {
		return string(binary.BigEndian.AppendUint16(nil, uint16(len(m)))) + m
	}
	steps := []step{up(counted(q1) + counted(q2)), down(counted(r2) + counted(r1)), up(counted(q3))}
	for _, piece := range []int{0, 1, 3, 20} {
		if diff := cmp.Diff(want, play(piece, steps...)); diff != "" {
			t.Errorf("by TCP, in pieces of %d (-want +got):\n%s", piece, diff)
		}
	}
	if l, ok := dissect.ReadLookup([]byte(r1)); !ok || l.Name != "www.example.test" || len(l.Answers) != 2 {
		t.Errorf("%+v", l)
	}
	if got := datagrams(up("anything"), up("else")); got != "stop ended\n" {
		t.Error(got)
	}
}

// TestQUIC: the hello of a client is told, and it alone.
func TestQUIC(t *testing.T) {
	h, err := quicclient.Hello("a.example.test", "h3")
	if err != nil {
		t.Fatal(err)
	}
	packet := quicclient.Datagram(&quicclient.Packet{Destination: []byte("12345678"), Number: 1, Length: 1, Frames: quicclient.Crypto(0, h)})
	got := datagrams(up(string(packet)), down(string(packet)), up("\x40 more"))
	if !strings.HasPrefix(got, "tls a.example.test h3 q13d") || !strings.HasSuffix(got, "\nstop encrypted\n") || strings.Count(got, "\n") != 2 {
		t.Error(got)
	}
}

// TestHolder: DHCP and RADIUS say who has an address.
func TestHolder(t *testing.T) {
	accounting := "\x04\x01\x00\x38" + strings.Repeat("\x00", 16) + "\x01\x08yamada\x08\x06\xc0\x00\x02\x09\x1f\x100200.0000.0007\x28\x06\x00\x00\x00\x01"
	if got, want := datagrams(up(accounting)), "holder radius 192.0.2.9 02:00:00:00:00:07 \"\" \"yamada\" 0 false\nstop ended\n"; got != want {
		t.Errorf("%q", got)
	}
	lease := func(op byte, options string) string {
		b := make([]byte, 240)
		copy(b, []byte{op, 1, 6})
		copy(b[28:], "\x02\x00\x00\x00\x00\x07")
		if op == 2 {
			copy(b[16:], "\xc0\x00\x02\x09")
		}
		copy(b[236:], "\x63\x82\x53\x63")
		return string(b) + options + "\xff"
	}
	got := datagrams(up(lease(1, "\x35\x01\x03\x0c\x02pc\x32\x04\xc0\x00\x02\x09")), down(lease(2, "\x35\x01\x05\x33\x04\x00\x00\x0e\x10")), up(lease(1, "\x35\x01\x07")))
	want := "holder dhcp 192.0.2.9 02:00:00:00:00:07 \"pc\" \"\" 0 true\nholder dhcp 192.0.2.9 02:00:00:00:00:07 \"\" \"\" 3600 false\nstop ended\n"
	if got != want {
		t.Errorf("%q", got)
	}
}

// FuzzDatagrams: whatever datagrams hold, nothing breaks.
func FuzzDatagrams(f *testing.F) {
	q, r := query(f, "www.example.test.", 1, 0, "www.example.test. 60 IN A 192.0.2.7")
	f.Add([]byte(q), []byte(r))
	f.Add(append([]byte("\xc3\x00\x00\x00\x01\x08abcdefgh\x00\x00\x44\xd0"), make([]byte, 1300)...), []byte(r))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		datagrams(up(string(a)), down(string(b)), up(string(b)), down(string(a)))
	})
}

// TestNoLookup: datagrams of NTP and RIP that have the form of a query are none.
func TestNoLookup(t *testing.T) {
	for name, p := range map[string]string{
		"rip": "\x02\x01\x00\x00\x00\x02\x00\x00\xc0\xa8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01",
		"ntp": "\x1b\x00\x00\x00\x00\x01" + strings.Repeat("\x00", 42),
	} {
		if got := datagrams(up(p), up(p)); strings.Contains(got, "lookup") {
			t.Errorf("%s: %s", name, got)
		}
	}
}
