// Package trailtest has the tests that every store of a trail must pass.
package trailtest

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/clearspan/clearspan/appliance/recorder/trail"
)

// Begin is the time of the first event that [Events] makes.
var Begin = time.Date(2026, 11, 1, 22, 0, 0, 0, time.UTC)

// ID returns the name of event n at a time.
func ID(at time.Time, n uint64) (id trail.ID) {
	binary.BigEndian.PutUint64(id[:], uint64(at.UnixNano()))
	binary.BigEndian.PutUint64(id[8:], n)
	return id
}

// Hash returns a hash that a number stands for.
func Hash(n uint64) (h trail.Hash) {
	binary.BigEndian.PutUint64(h[:], n+1)
	return h
}

// Events returns a batch of events of several kinds, n minutes apart from each other, over as
// many days as that takes. Event i is a mail if i is a multiple of 10.
func Events(from, n int) *trail.Batch {
	b := &trail.Batch{Cursor: fmt.Appendf(nil, "%d", from+n)}
	for i := from; i < from+n; i++ {
		at := Begin.Add(time.Duration(i) * time.Minute)
		session := trail.Session{
			ID: ID(at, uint64(i)|1<<63), Start: at, End: at.Add(time.Second), Source: "test", Protocol: "http", Transport: "tcp",
			Client: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 1, byte(i % 3), byte(i)}), uint16(1024+i)), Server: netip.MustParseAddrPort("203.0.113.80:80"),
			SNI: fmt.Sprintf("h%d.example.com", i%7), Rule: "office", Up: uint64(i), Packets: 1 << 40, VLAN: 7,
		}
		session.Open = i == 7 || i == 205 && n == 1
		e := trail.Event{
			ID: ID(at, uint64(i)), Session: session.ID, Seq: 1, At: at, Kind: trail.Request, Protocol: "http", Client: session.Client, Server: session.Server,
			Method: "GET", Host: session.SNI, URI: fmt.Sprintf("http://h%d.example.com/a_%d%%25.pdf", i%7, i), Status: 200 + i%5, Type: "application/pdf", Agent: "Curl/8", Up: 5,
		}
		v := trail.Sighting{Event: e.ID, Number: 1, Hash: Hash(uint64(i % 50)), At: at, Direction: trail.Received, Name: fmt.Sprintf("a_%d.pdf", i), Ending: "complete", Size: uint64(i) * 1000}
		if i%10 == 0 {
			e.Kind, e.Protocol, e.Method, e.URI, e.Host = trail.Mail, "smtp", "send", "", ""
			e.Sender, e.Subject, e.MessageID = "yamada@example.co.jp", fmt.Sprintf("見積書 %d 送付", i), fmt.Sprintf("<%d@x>", i)
			e.Parties = []trail.Party{{Role: trail.Recipient, Address: "Bob@example.test"}, {Role: trail.From, Address: "Taro.Yamada@example.co.jp"}, {Role: trail.CC, Address: fmt.Sprintf("cc%d@example.test", i)}}
			v.Direction, v.Name = trail.Sent, "顧客名簿.xlsx"
			b.Findings = append(b.Findings, trail.Finding{ID: ID(at, uint64(i)|1<<62), Event: e.ID, Hash: v.Hash, At: at, Detector: "my-number", Count: uint64(i), Score: 90, Sample: "1234-****-**18", Place: "sheet 1"})
			b.Texts = append(b.Texts, trail.Text{Hash: v.Hash, At: at, Text: fmt.Sprintf("これは極秘の資料です。Project Falcon number%d", i)})
		}
		b.Sessions, b.Events, b.Sightings = append(b.Sessions, session), append(b.Events, e), append(b.Sightings, v)
		b.Objects = append(b.Objects, trail.Object{Hash: v.Hash, Size: v.Size, Type: "application/pdf", First: at, Stored: 10, Holes: []trail.Hole{{At: 1, Size: 2}}})
	}
	return b
}

// Run tests a store that is empty.
func Run(t *testing.T, s trail.Store) {
	ctx := t.Context()
	if c, err := s.Cursor(ctx); err != nil || c != nil {
		t.Fatalf("cursor of an empty trail: %q, %v", c, err)
	}
	const n = 300 // five hours, over midnight
	for from := 0; from < n; from += 100 {
		if err := s.Write(ctx, Events(from, 100)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Write(ctx, Events(205, 1)); err != nil { // when its session was open
		t.Fatal(err)
	}
	if err := s.Write(ctx, Events(200, 100)); err != nil { // again, as after a crash
		t.Fatal(err)
	}
	if c, err := s.Cursor(ctx); err != nil || string(c) != "300" {
		t.Errorf("cursor %q, %v", c, err)
	}
	t.Run("queries", func(t *testing.T) { queries(t, s, n) })
	t.Run("pages", func(t *testing.T) { pages(t, s, n) })
	t.Run("counts", func(t *testing.T) { counts(t, s, n) })
	t.Run("rows", func(t *testing.T) { rows(t, s) })
	t.Run("forget", func(t *testing.T) { forget(t, s) })
}

// forget forgets the first of two days.
func forget(t *testing.T, s trail.Store) {
	days, err := s.Sizes(t.Context())
	if err != nil || len(days) != 2 || days[0].Date != "2026-11-01" || days[1].Date != "2026-11-02" || days[0].Size <= 0 {
		t.Fatalf("%v, %v", days, err)
	}
	if err := s.Forget(t.Context(), "2026-11-01"); err != nil {
		t.Fatal(err)
	}
	if list := ask(t, s, "", trail.Question{}); len(list) != 180 || slices.Min(list) != 120 {
		t.Errorf("%d events are left: %v", len(list), list)
	}
	if days, err := s.Sizes(t.Context()); err != nil || len(days) != 1 {
		t.Errorf("%v, %v", days, err)
	}
	if err := s.Forget(t.Context(), "2026-11-01"); err != nil {
		t.Errorf("a day that is not there: %v", err)
	}
}

// ask returns the numbers of the events that match.
func ask(t *testing.T, s trail.Store, text string, q trail.Question) (list []int) {
	t.Helper()
	var err error
	if q.Query, err = trail.Language.Parse(text); err != nil {
		t.Fatal(err)
	}
	if q.Limit == 0 {
		q.Limit = 1000
	}
	err = s.Events(t.Context(), q, func(x *trail.Full) bool {
		list = append(list, int(binary.BigEndian.Uint64(x.ID[8:])))
		return true
	})
	if err != nil {
		t.Errorf("%s: %v", text, err)
	}
	return list
}

// queries asks for events by each kind of field.
func queries(t *testing.T, s trail.Store, n int) {
	for _, tt := range []struct {
		query string
		is    func(i int) bool
	}{
		{"", func(int) bool { return true }},
		{"client:10.1.2.0/24", func(i int) bool { return i%3 == 2 }},
		{"client:10.1.2.5", func(i int) bool { return i%3 == 2 && i%256 == 5 }},
		{"server:203.0.113.80:80 port:80-90", func(int) bool { return true }},
		{"port:81", func(int) bool { return false }},
		{"host:*.example.com", func(i int) bool { return i%10 != 0 }},
		{"host:H3.example.com", func(i int) bool { return i%10 != 0 && i%7 == 3 }},
		{"host:h3*", func(i int) bool { return i%10 != 0 && i%7 == 3 }},
		{`uri:a_12%`, func(i int) bool { return i == 12 }},
		{"uri:*/a_1?.pdf", func(int) bool { return false }},
		{"status:201-203", func(i int) bool { return i%5 >= 1 && i%5 <= 3 }},
		{"status>=203", func(i int) bool { return i%5 >= 3 }},
		{"kind:mail", func(i int) bool { return i%10 == 0 }},
		{"-kind:mail status:200", func(i int) bool { return i%10 != 0 && i%5 == 0 }},
		{"kind:mail or status:201", func(i int) bool { return i%10 == 0 || i%5 == 1 }},
		{"from:yamada@*", func(i int) bool { return i%10 == 0 }},
		{"from:taro.yamada@example.co.jp", func(i int) bool { return i%10 == 0 }},
		{"to:cc20@example.test", func(i int) bool { return i == 20 }},
		{"rcpt:bob@example.test", func(i int) bool { return i%10 == 0 }},
		{"rcpt:cc20@example.test", func(int) bool { return false }},
		{"subject:見積", func(i int) bool { return i%10 == 0 }},
		{"name:顧客", func(i int) bool { return i%10 == 0 }},
		{"name:a_12.pdf", func(i int) bool { return i == 12 }},
		{"size>100kB", func(i int) bool { return i > 100 }},
		{"sent:true", func(i int) bool { return i%10 == 0 }},
		{"direction:received", func(i int) bool { return i%10 != 0 }},
		{"object:" + Hash(7).String(), func(i int) bool { return i%50 == 7 }},
		{"object:" + Hash(7).String()[:16], func(i int) bool { return i%50 == 7 }},
		{"finding:my-number count>=100", func(i int) bool { return i%10 == 0 && i >= 100 }},
		{"finding:*", func(i int) bool { return i%10 == 0 }},
		{"score>95", func(int) bool { return false }},
		{"rule:office sni:h1.example.com vlan:7", func(i int) bool { return i%7 == 1 }},
		{"text:極秘", func(i int) bool { return i%10 == 0 }},
		{`text:"project falcon"`, func(i int) bool { return i%10 == 0 }},
		{`text:"falcon project"`, func(int) bool { return false }},
		{"極秘", func(int) bool { return false }},
		{"見積書", func(i int) bool { return i%10 == 0 }},
		{"顧客名簿 送付", func(i int) bool { return i%10 == 0 }},
		{"10.1.0.3", func(i int) bool { return i == 3 }},
		{"session:" + ID(Begin.Add(5*time.Minute), 5|1<<63).String(), func(i int) bool { return i == 5 }},
		{"id:" + ID(Begin.Add(5*time.Minute), 5).String(), func(i int) bool { return i == 5 }},
		{"after:2026-11-02T00:00Z before:2026-11-02T01:00Z", func(i int) bool { return i >= 120 && i < 180 }},
		{"name:\"'; drop table event; --\"", func(int) bool { return false }},
		{`"a AND b" or "x*y" or "(" or "\""`, func(int) bool { return false }},
	} {
		got := ask(t, s, tt.query, trail.Question{})
		var want []int
		for i := n - 1; i >= 0; i-- {
			if tt.is(i) {
				want = append(want, i)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %d events %v, want %d", tt.query, len(got), got[:min(len(got), 5)], len(want))
		}
	}
}

// pages goes through all events in small pages.
func pages(t *testing.T, s trail.Store, n int) {
	var all []int
	var before trail.ID
	for range n {
		page := 0
		err := s.Events(t.Context(), trail.Question{Limit: 7, Before: before}, func(x *trail.Full) bool {
			all = append(all, int(binary.BigEndian.Uint64(x.ID[8:])))
			before = x.ID
			page++
			return true
		})
		if err != nil {
			t.Fatal(err)
		}
		if page < 7 {
			break
		}
	}
	if len(all) != n || !slices.IsSortedFunc(all, func(a, b int) int { return b - a }) {
		t.Errorf("%d events in pages, want %d", len(all), n)
	}
	if got := ask(t, s, "", trail.Question{From: Begin.Add(10 * time.Minute), To: Begin.Add(20 * time.Minute)}); len(got) != 10 || got[9] != 10 {
		t.Errorf("%v", got)
	}
	stopped := 0
	s.Events(t.Context(), trail.Question{}, func(*trail.Full) bool { stopped++; return false })
	if stopped != 1 {
		t.Errorf("%d events behind the stop", stopped)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Events(ctx, trail.Question{}, func(*trail.Full) bool { return true }); !errors.Is(err, context.Canceled) {
		t.Errorf("an end of the context: %v", err)
	}
}

// rows compares what comes back with what was written.
func rows(t *testing.T, s trail.Store) {
	b := Events(20, 1)
	x, err := s.Event(t.Context(), b.Events[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	for i := range b.Events[0].Parties {
		b.Events[0].Parties[i].Address = strings.ToLower(b.Events[0].Parties[i].Address)
	}
	if got, want := fmt.Sprint(x.Event), fmt.Sprint(b.Events[0]); got != want {
		t.Errorf("event\n%s\nwant\n%s", got, want)
	}
	if got, want := fmt.Sprint(x.Sightings, x.Findings, x.Rule), fmt.Sprint(b.Sightings, b.Findings, "office"); got != want {
		t.Errorf("rows of the event\n%s\nwant\n%s", got, want)
	}
	if open, err := s.OpenSessions(t.Context()); err != nil || len(open) != 1 || !open[ID(Begin.Add(7*time.Minute), 7|1<<63)] {
		t.Errorf("open sessions %v, %v", open, err)
	}
	session, err := s.Session(t.Context(), b.Sessions[0].ID)
	if err != nil || *session != b.Sessions[0] {
		t.Errorf("session\n%+v, %v\nwant\n%+v", session, err, b.Sessions[0])
	}
	o, err := s.Object(t.Context(), Hash(20))
	if err != nil || o.Size != 20_000 || len(o.Holes) != 1 || o.Holes[0] != (trail.Hole{At: 1, Size: 2}) {
		t.Errorf("%+v, %v", o, err)
	}
	var kept []trail.Hash
	if err := s.Objects(t.Context(), func(h [32]byte, _ uint64) error { kept = append(kept, h); return nil }); err != nil || len(kept) != 50 || kept[1] != Hash(1) {
		t.Errorf("objects %v, %v", kept, err)
	}
	var seen []int
	err = s.Sightings(t.Context(), Hash(20), 100, func(x *trail.Full) bool {
		seen = append(seen, int(binary.BigEndian.Uint64(x.ID[8:])))
		return true
	})
	if err != nil || !slices.Equal(seen, []int{270, 220, 170, 120, 70, 20}) {
		t.Errorf("sightings %v, %v", seen, err)
	}
	for _, err := range []error{
		func() error { _, err := s.Event(t.Context(), trail.ID{1}); return err }(),
		func() error { _, err := s.Session(t.Context(), ID(Begin, 99)); return err }(),
		func() error { _, err := s.Object(t.Context(), trail.Hash{9}); return err }(),
	} {
		if !errors.Is(err, trail.ErrNone) {
			t.Errorf("a row that is not there: %v", err)
		}
	}
}

// counts compares lists of the most frequent values, and timelines, with a count of all events.
func counts(t *testing.T, s trail.Store, n int) {
	b := Events(0, n)
	for _, tt := range []struct {
		query, field string
		from, to     int // minutes
		value        func(e *trail.Event) string
		is           func(i int) bool
	}{
		{"", "host", 0, n, func(e *trail.Event) string { return e.Host }, func(int) bool { return true }},
		{"", "client", 0, n, func(e *trail.Event) string { return e.Client.Addr().String() }, func(int) bool { return true }},
		{"", "server", 120, n, func(e *trail.Event) string { return e.Server.Addr().String() }, func(int) bool { return true }},
		{"", "kind", 0, 1560, func(e *trail.Event) string { return e.Kind }, func(int) bool { return true }},
		{"kind:mail", "from", 0, n, func(e *trail.Event) string { return e.Sender }, func(i int) bool { return i%10 == 0 }},
		{"status:203", "protocol", 30, 200, func(e *trail.Event) string { return e.Protocol }, func(i int) bool { return i%5 == 3 }},
		{"host:nowhere.example.com", "host", 0, n, nil, func(int) bool { return false }},
	} {
		q := trail.Question{From: Begin.Add(time.Duration(tt.from) * time.Minute), To: Begin.Add(time.Duration(tt.to) * time.Minute)}
		var err error
		if q.Query, err = trail.Language.Parse(tt.query); err != nil {
			t.Fatal(err)
		}
		want, kinds := make(map[string]trail.Count), make(map[string]trail.Count)
		for i := range b.Events {
			e := &b.Events[i]
			if i < tt.from || i >= tt.to || !tt.is(i) {
				continue
			}
			one := trail.Count{Value: tt.value(e), Events: 1, Up: e.Up, Down: e.Down}
			if one.Value != "" {
				sum := want[one.Value]
				sum.Add(one)
				want[one.Value] = sum
			}
			one.Value = e.Kind
			at := q.From.Add(e.At.Sub(q.From).Truncate(time.Hour)).String() + e.Kind
			sum := kinds[at]
			sum.Add(one)
			kinds[at] = sum
		}
		got, err := s.Top(t.Context(), q, trail.TopFields[tt.field], 5)
		if err != nil || !slices.Equal(got, trail.Most(want, 5)) {
			t.Errorf("top of %s in %q: %v, %v\nwant %v", tt.field, tt.query, got, err, trail.Most(want, 5))
		}
		line, err := s.Timeline(t.Context(), q, time.Hour)
		if err != nil || len(line) != len(kinds) {
			t.Errorf("timeline of %q: %v, %v", tt.query, line, err)
		}
		for _, m := range line {
			if m.Count != kinds[m.At.String()+m.Value] {
				t.Errorf("timeline of %q at %v: %+v, want %+v", tt.query, m.At, m.Count, kinds[m.At.String()+m.Value])
			}
		}
	}
	if _, err := s.Top(t.Context(), trail.Question{}, trail.FieldURI, 5); err == nil {
		t.Error("a list of a field that has none")
	}
	if _, err := s.Timeline(t.Context(), trail.Question{From: Begin, To: Begin.AddDate(1, 0, 0)}, time.Second); err == nil {
		t.Error("a timeline without end")
	}
}
