package judge

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/clearspan/clearspan/appliance/recorder/trail"
)

// batch has one event with what was found in it.
func batch(e trail.Event, d trail.Direction, size uint64, findings ...trail.Finding) *trail.Batch {
	e.ID = trail.ID{1}
	b := &trail.Batch{Events: []trail.Event{e}}
	for i, f := range findings {
		f.Event, f.Hash = e.ID, trail.Hash{byte(i + 1)}
		b.Sightings = append(b.Sightings, trail.Sighting{Event: e.ID, Hash: f.Hash, Direction: d, Size: size})
		b.Findings = append(b.Findings, f)
	}
	return b
}

func found(detector string, count uint64, score int) trail.Finding {
	return trail.Finding{Detector: detector, Count: count, Score: score}
}

// web, letter are events to a server, and to people.
func web(server string) trail.Event {
	return trail.Event{Kind: trail.Request, Client: netip.MustParseAddrPort("10.1.2.3:4000"), Server: netip.MustParseAddrPort(server + ":443"), Host: "Drop.Example.com", User: "EXAMPLE\\taro"}
}

func letter(to ...string) trail.Event {
	e := trail.Event{Kind: trail.Mail, Method: "send", Client: netip.MustParseAddrPort("10.1.2.3:4000"), Server: netip.MustParseAddrPort("10.0.0.25:25"), Sender: "hanako@example.co.jp"}
	for _, a := range to {
		e.Parties = append(e.Parties, trail.Party{Role: trail.Recipient, Address: a}, trail.Party{Role: trail.To, Address: "list@elsewhere.test"})
	}
	return e
}

// told returns "rule/detector>receivers" of what is told, and the rule of each finding.
func told(t *testing.T, rules []Rule, b *trail.Batch) (out, noted string) {
	t.Helper()
	j, err := New(Config{
		Inside: []string{"10.0.0.0/8", "fd00::/8", "@example.co.jp", "@*.group.example"}, Rules: rules,
		Detectors: []string{"my-number", "person", "phone", "label"}, Receivers: []string{"office", "siem"},
	})
	if err != nil {
		t.Fatal(err)
	}
	var list, names []string
	for _, x := range j.Judge(b, &Users{}) {
		list = append(list, fmt.Sprintf("%s/%s>%s", x.Rule, x.Finding.Detector, strings.Join(x.Alert, "+")))
	}
	for i := range b.Findings {
		names = append(names, b.Findings[i].Rule)
	}
	return strings.Join(list, " "), strings.Join(names, " ")
}

// TestRules: each condition, met and not met.
func TestRules(t *testing.T) {
	office := []string{"office"}
	number, people := found("my-number", 1, 95), found("person", 99, 80)
	out := Rule{Name: "out", Sent: true, To: []string{"outside"}, When: map[string]uint64{"my-number": 1}, Or: map[string]uint64{"person": 100}, Alert: office}
	for name, tt := range map[string]struct {
		rule      Rule
		event     trail.Event
		direction trail.Direction
		findings  []trail.Finding
		want      string
	}{
		"a number goes out":           {out, web("192.0.2.1"), trail.Sent, []trail.Finding{number, people}, "out/my-number>office"},
		"few people go out":           {out, web("192.0.2.1"), trail.Sent, []trail.Finding{people}, ""},
		"people of two files":         {out, web("192.0.2.1"), trail.Sent, []trail.Finding{people, found("person", 1, 70)}, "out/person>office out/person>office"},
		"it stays inside":             {out, web("10.9.9.9"), trail.Sent, []trail.Finding{number}, ""},
		"it stays inside, IPv6":       {out, web("[fd00::1]"), trail.Sent, []trail.Finding{number}, ""},
		"it is received":              {out, web("192.0.2.1"), trail.Received, []trail.Finding{number}, ""},
		"mail to our own":             {out, letter("a@example.co.jp", "b@Sub.Group.Example"), trail.Sent, []trail.Finding{number}, ""},
		"mail to one other":           {out, letter("a@example.co.jp", "b@notexample.co.jp"), trail.Sent, []trail.Finding{number}, "out/my-number>office"},
		"mail to a subdomain":         {out, letter("b@sub.example.co.jp"), trail.Sent, []trail.Finding{number}, "out/my-number>office"},
		"weak":                        {out, web("192.0.2.1"), trail.Sent, []trail.Finding{found("my-number", 9, 60)}, ""},
		"weak, wanted":                {Rule{Name: "r", Score: 60, When: out.When, Alert: office}, web("192.0.2.1"), trail.Sent, []trail.Finding{found("my-number", 9, 60)}, "r/my-number>office"},
		"data of contact":             {Rule{Name: "r", When: map[string]uint64{"phone": 3}, Alert: office}, web("192.0.2.1"), trail.Sent, []trail.Finding{found("phone", 3, 60)}, "r/phone>office"},
		"all of when":                 {Rule{Name: "r", When: map[string]uint64{"phone": 3, "label": 1}, Alert: office}, web("192.0.2.1"), trail.Sent, []trail.Finding{found("phone", 3, 60)}, ""},
		"client":                      {Rule{Name: "r", Client: []string{"10.1.0.0/16"}, Alert: office}, web("192.0.2.1"), trail.Sent, []trail.Finding{number}, "r/my-number>office"},
		"other client":                {Rule{Name: "r", Client: []string{"10.2.0.0/16", "10.1.2.4"}, Alert: office}, web("192.0.2.1"), trail.Sent, []trail.Finding{number}, ""},
		"user":                        {Rule{Name: "r", User: []string{`example\*`}, Alert: office}, web("192.0.2.1"), trail.Sent, []trail.Finding{number}, "r/my-number>office"},
		"sender":                      {Rule{Name: "r", User: []string{"*@example.co.jp"}, Alert: office}, letter("x@y.test"), trail.Sent, []trail.Finding{number}, "r/my-number>office"},
		"other user":                  {Rule{Name: "r", User: []string{"taro"}, Alert: office}, web("192.0.2.1"), trail.Sent, []trail.Finding{number}, ""},
		"host":                        {Rule{Name: "r", To: []string{"198.51.100.0/24", "*.example.com"}, Alert: office}, web("192.0.2.1"), trail.Sent, []trail.Finding{number}, "r/my-number>office"},
		"other host":                  {Rule{Name: "r", To: []string{"example.com", "*.example.org"}, Alert: office}, web("192.0.2.1"), trail.Sent, []trail.Finding{number}, ""},
		"network":                     {Rule{Name: "r", To: []string{"192.0.2.0/24"}, Alert: office}, web("192.0.2.1"), trail.Sent, []trail.Finding{number}, "r/my-number>office"},
		"recipient":                   {Rule{Name: "r", To: []string{"@rival.test"}, Alert: office}, letter("a@example.co.jp", "b@rival.test"), trail.Sent, []trail.Finding{number}, "r/my-number>office"},
		"size":                        {Rule{Name: "r", Size: 1000, Alert: office}, web("192.0.2.1"), trail.Sent, []trail.Finding{number, people}, "r/my-number>office r/person>office"},
		"small":                       {Rule{Name: "r", Size: 1001, Alert: office}, web("192.0.2.1"), trail.Sent, []trail.Finding{number, people}, ""},
		"received":                    {Rule{Name: "r", Received: true, To: []string{"inside"}, Alert: office}, web("192.0.2.1"), trail.Received, []trail.Finding{number}, "r/my-number>office"},
		"nobody is told, it is noted": {Rule{Name: "r"}, web("192.0.2.1"), trail.Sent, []trail.Finding{number}, ""},
	} {
		got, noted := told(t, []Rule{tt.rule}, batch(tt.event, tt.direction, 500, tt.findings...))
		if got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
		if (got != "" || tt.rule.Alert == nil) != strings.Contains(noted, tt.rule.Name) {
			t.Errorf("%s: noted %q", name, noted)
		}
	}
}

// TestSeveral: a finding has the name of the first rule, and each rule tells its receivers.
func TestSeveral(t *testing.T) {
	rules := []Rule{{Name: "a", When: map[string]uint64{"label": 1}}, {Name: "b", Alert: []string{"office"}}, {Name: "c", Alert: []string{"siem"}}}
	got, noted := told(t, rules, batch(web("192.0.2.1"), trail.Sent, 1, found("label", 1, 85), found("person", 5, 75)))
	if want := "b/label>office b/person>office c/label>siem c/person>siem"; got != want || noted != "a b" {
		t.Errorf("%q, %q", got, noted)
	}
}

// TestDefault: what is told without rules.
func TestDefault(t *testing.T) {
	list := []trail.Finding{found("my-number", 1, 85), found("person", 9, 70), found("person", 10, 80), found("phone", 99, 99), found("label", 1, 60)}
	if got, noted := told(t, nil, batch(web("10.9.9.9"), trail.Sent, 1, list...)); got != "/my-number> /person>" || strings.TrimSpace(noted) != "" {
		t.Errorf("%q, %q", got, noted)
	}
	if got, _ := told(t, nil, batch(web("10.9.9.9"), trail.Received, 1, list...)); got != "" {
		t.Error(got)
	}
}

// TestBad: what is not taken.
func TestBad(t *testing.T) {
	for want, c := range map[string]Config{
		"it has no name":     {Rules: []Rule{{}}},
		"two of that name":   {Rules: []Rule{{Name: "a"}, {Name: "a"}}},
		"unknown detector":   {Rules: []Rule{{Name: "a", When: map[string]uint64{"my-nubmer": 1}}}, Detectors: []string{"my-number"}},
		"no receiver":        {Rules: []Rule{{Name: "a", Alert: []string{"x"}}}},
		"needs the list":     {Rules: []Rule{{Name: "a", To: []string{"outside"}}}},
		"is no network":      {Rules: []Rule{{Name: "a", Client: []string{"10.0.0.0/33"}}}},
		"is no destination":  {Rules: []Rule{{Name: "a", To: []string{"a b"}}}},
		"score 101":          {Rules: []Rule{{Name: "a", Score: 101}}},
		"no domain of mail":  {Inside: []string{"example.com"}},
		`"1.2.3.4/99" is no`: {Inside: []string{"1.2.3.4/99"}},
	} {
		if _, err := New(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %s", c, err, want)
		}
	}
}

// TestUsers: a name that a login has told holds for what the client does then.
func TestUsers(t *testing.T) {
	j, err := New(Config{Rules: []Rule{{Name: "r", User: []string{"taro@*"}, Alert: []string{"office"}}}, Receivers: []string{"office"}})
	if err != nil {
		t.Fatal(err)
	}
	var users Users
	e := web("192.0.2.1")
	e.User = ""
	tell := func() int { return len(j.Judge(batch(e, trail.Sent, 1, found("my-number", 1, 95)), &users)) }
	if tell() != 0 {
		t.Error("told of nobody")
	}
	j.Judge(&trail.Batch{Who: []trail.Who{{Address: e.Client.Addr(), User: "Taro@EXAMPLE.TEST"}, {Address: netip.MustParseAddr("10.9.9.9"), User: "hanako"}}}, &users)
	if tell() != 1 {
		t.Error("the user is not known")
	}
	j.Judge(&trail.Batch{Who: []trail.Who{{Address: e.Client.Addr(), User: "hanako"}, {Address: e.Client.Addr(), MAC: "x"}}}, &users)
	if tell() != 0 {
		t.Error("the former user is told of")
	}
	for i := range maxUsers + 10 {
		users.note([]trail.Who{{Address: netip.AddrFrom4([4]byte{1, byte(i >> 16), byte(i >> 8), byte(i)}), User: "x"}})
	}
	if len(users.names) != maxUsers {
		t.Errorf("%d addresses", len(users.names))
	}
}
