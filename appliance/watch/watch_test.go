package watch

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/clearspan/clearspan/appliance/query"
	"github.com/clearspan/clearspan/decrypt"
	"github.com/clearspan/clearspan/decrypt/policy"
)

// running is a session of a test.
type running struct {
	account *decrypt.Session
	cut     bool
}

func (r *running) Account() *decrypt.Session { return r.account }
func (r *running) Cut()                      { r.cut = true }

var began = time.Date(2026, 11, 3, 12, 0, 0, 0, time.UTC)

// session returns the n-th session of a test.
func session(n int) *running {
	a := &decrypt.Session{
		ID: fmt.Sprintf("%016x", n), Intake: "proxy", Start: began.Add(time.Duration(n) * time.Second),
		Client: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(n >> 8), byte(n)}), 50000),
		Origin: netip.MustParseAddrPort("192.0.2.1:443"),
		SNI:    fmt.Sprintf("host%d.example.com", n), Protocol: "http", Outcome: decrypt.Bumped,
	}
	a.Decision = policy.Decision{Rule: "default", Action: policy.Action(n % 4)}
	return &running{account: a}
}

// finish ends a session.
func (r *running) finish(reg *Registry, after time.Duration) {
	r.account.End = r.account.Start.Add(after)
	reg.End(r.account, "")
}

func parse(t testing.TB, text string) *query.Query {
	t.Helper()
	q, err := query.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func ids(rows []Row) (list []string) {
	for _, r := range rows {
		n, _ := key(r.Session)
		list = append(list, fmt.Sprintf("%s%d", r.State[:1], n))
	}
	return list
}

func TestLife(t *testing.T) {
	reg := New(10)
	sub, err := reg.Subscribe(parse(t, "host:host1.example.com"))
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	a, b := session(1), session(2)
	one, two := reg.Begin(a), reg.Begin(b)
	one.Reached(decrypt.StageHandshake)
	one.Reached(decrypt.StageRelay)
	two.Reached(decrypt.StagePeek)

	row, ok := reg.Get(a.account.ID)
	if !ok || row.State != Open || row.Stage != decrypt.StageRelay || row.Host != "host1.example.com" || row.Action != "tunnel" || row.Duration <= 0 {
		t.Errorf("open session: %v %+v", ok, row)
	}
	if got := <-sub.C; got.State != Open || got.Session != a.account.ID {
		t.Errorf("subscriber got %+v", got)
	}
	c := reg.Counts()
	if c.Open != 2 || c.ByStage["relay"] != 1 || c.ByAction["tunnel"] != 1 || c.ByOutcome["bumped"] != 1 || c.ByOutcome[""] != 1 {
		t.Errorf("counts %+v", c)
	}
	if !reg.Kill(a.account.ID) || !a.cut || reg.Kill("0000000000000009") {
		t.Error("the wrong session was ended")
	}
	a.account.Reason = "operator"
	a.finish(reg, time.Minute)
	if got := <-sub.C; got.State != Ended || got.Duration != time.Minute || got.Reason != "operator" {
		t.Errorf("subscriber got %+v", got)
	}
	if row, ok := reg.Get(a.account.ID); !ok || row.State != Ended || !row.End().Equal(a.account.End) {
		t.Errorf("ended session: %v %+v", ok, row)
	}
	if c := reg.Counts(); c.Open != 1 || c.Kept != 1 || c.Began != 2 || c.Ended != 1 {
		t.Errorf("counts %+v", c)
	}
	if _, ok := reg.Get("nonsense"); ok || sub.Missed() != 0 {
		t.Error("found what is not there")
	}
}

func TestListPages(t *testing.T) {
	reg := New(10)
	for n := range 8 {
		s := session(n)
		reg.Begin(s)
		if n%2 == 0 {
			s.finish(reg, time.Second)
		}
	}
	want := "[o7 o5 o3 o1 e6 e4 e2 e0]"
	for limit := 1; limit < 10; limit++ {
		var rows []Row
		at := Cursor("")
		for pages := 0; ; pages++ {
			page, next, err := reg.List(nil, limit, at)
			if err != nil || len(page) > limit || pages > 10 {
				t.Fatalf("limit %d: %d rows, %v", limit, len(page), err)
			}
			rows = append(rows, page...)
			if at = next; next == "" {
				break
			}
		}
		if got := fmt.Sprint(ids(rows)); got != want {
			t.Errorf("limit %d: %s, want %s", limit, got, want)
		}
	}
	rows, _, _ := reg.List(parse(t, "action:bump"), 10, "")
	if got := fmt.Sprint(ids(rows)); got != "[e4 e0]" {
		t.Errorf("query: %s", got)
	}
	if _, _, err := reg.List(nil, 1, "x"); err == nil {
		t.Error("a wrong cursor is taken")
	}
}

func TestSubscriberThatDoesNotRead(t *testing.T) {
	reg := New(10)
	sub, err := reg.Subscribe(nil)
	if err != nil {
		t.Fatal(err)
	}
	for n := range queueLength + 5 {
		session(n).finish(reg, 0)
	}
	if sub.Missed() != 5 || len(sub.C) != queueLength {
		t.Errorf("%d missed, %d wait", sub.Missed(), len(sub.C))
	}
	sub.Close()
	sub.Close()
	session(1).finish(reg, 0)
	for range MaxSubscribers {
		if _, err := reg.Subscribe(nil); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := reg.Subscribe(nil); err != ErrSubscribers {
		t.Errorf("one subscriber too many: %v", err)
	}
}

func TestRates(t *testing.T) {
	reg := New(10)
	if r := reg.Rates(time.Minute); r.Window != 0 {
		t.Errorf("rates without a sample: %+v", r)
	}
	at := time.Now().Add(-20 * time.Second)
	octets := [2]uint64{}
	reg.samples.octets = func() [2]uint64 { return octets }
	reg.sample(at)
	session(1).finish(reg, 0)
	octets = [2]uint64{1000, 2000}
	r := reg.Rates(time.Minute)
	if r.Window < 20*time.Second || r.Ended <= 0 || r.Ended > .05 || r.Sent*2 != r.Received || r.Sent <= 0 {
		t.Errorf("rates %+v", r)
	}
}

// TestListWith: open sessions of another registry are in their places, page by page, each
// once.
func TestListWith(t *testing.T) {
	mine, other := New(0), New(0)
	for n := range 9 {
		in := mine
		if n%3 == 1 {
			in = other
		}
		s := session(n)
		in.Begin(s)
		if n < 2 {
			s.finish(in, time.Second)
		}
	}
	for _, limit := range []int{1, 2, 3, 4, 7, 8, 9, 20} {
		var got []string
		at := Cursor("")
		for range 20 {
			var others []Row
			if OfOpen(at) {
				var err error
				if others, _, err = other.List(nil, limit, at); err != nil {
					t.Fatal(err)
				}
			}
			rows, next, err := mine.ListWith(others, nil, limit, at)
			if err != nil || len(rows) > limit {
				t.Fatalf("limit %d: %d rows, %v", limit, len(rows), err)
			}
			got = append(got, ids(rows)...)
			if at = next; at == "" {
				break
			}
		}
		if want := "[o8 o7 o6 o5 o4 o3 o2 e0]"; fmt.Sprint(got) != want {
			t.Errorf("limit %d: %v, want %s", limit, got, want)
		}
	}
}
