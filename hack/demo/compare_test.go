package demo

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/clearspan/clearspan/hack/lab"
)

// sound returns a recording of two pages, a mail and an inspected page in which
// nothing differs.
func sound() (*recording, []fetch, []mail, []inspected) {
	f := fetch{page: "a.html", content: []byte("<p>"), client: "192.0.2.1:1000", up: 10, down: 20}
	h := fetch{page: "b.html", http2: true, content: []byte("<h>"), client: "192.0.2.1:1002"}
	m := mail{port: lab.SubmissionPort, subject: "S", body: "B"}
	conversations := []lab.Conversation{
		{Client: "192.0.2.1:1000", ClientToOrigin: 10, OriginToClient: 20, Closed: true},
		{Client: "192.0.2.1:1001", ClientToOrigin: 30, OriginToClient: 40, Closed: true},
		{Client: "192.0.2.1:1002", ClientToOrigin: 50, OriginToClient: 60, Closed: true},
		{Client: "192.0.2.1:1003", ClientToOrigin: 70, OriginToClient: 80, Closed: true},
	}
	r := &recording{
		conversations: conversations,
		files:         append([]lab.Conversation(nil), conversations...),
		objects:       map[string][]byte{"a.html": []byte("<p>")},
		mails:         []string{m.data()},
		entries:       make([]entry, 4),
	}
	for i, c := range conversations {
		e := &r.entries[i]
		e.Client = netip.MustParseAddrPort(c.Client)
		e.Octets.Up, e.Octets.Down = c.ClientToOrigin, c.OriginToClient
		e.Mirror = map[string]mirrored{sinkName: {Octets: c.ClientToOrigin + c.OriginToClient}}
	}
	// The STARTTLS command, relayed and not shown.
	r.entries[1].Octets.Up += 10
	r.entries[1].Mirror[sinkName] = mirrored{70, 10, concealed}
	r.bodies = []lab.HTTP2Body{{To: h.client, Content: []byte("<h>")}}
	r.entries[3].Service = map[string]string{scanner: "blocked"}
	r.served = "GET /c.html"
	return r, []fetch{f, h}, []mail{m}, []inspected{{page: "c.html", client: "192.0.2.1:1003", result: map[string]string{scanner: "blocked"}}}
}

func TestCompareNoticesEverything(t *testing.T) {
	for _, tc := range []struct {
		name  string
		spoil func(*recording)
		want  string // part of what is told; empty: nothing differs
	}{
		{"nothing", func(*recording) {}, ""},
		{"problem", func(r *recording) { r.problems = []string{"7 [TCP Retransmission]"} }, "Retransmission"},
		{"object altered", func(r *recording) { r.objects["a.html"] = []byte("<P>") }, "a.html, exported"},
		{"object absent", func(r *recording) { delete(r.objects, "a.html") }, "0 octets"},
		{"HTTP/2 body altered", func(r *recording) { r.bodies[0].Content = []byte("<P>") }, "b.html, joined"},
		{"HTTP/2 body of another", func(r *recording) { r.bodies[0].To = "192.0.2.1:1" }, "b.html, joined"},
		{"octet too many", func(r *recording) { r.conversations[0].ClientToOrigin++ }, "recorded 11 and 20"},
		{"conversation absent", func(r *recording) { r.conversations = r.conversations[:1] }, "1 conversations, 4 entries"},
		{"entry absent", func(r *recording) { r.entries = r.entries[:1] }, "4 conversations, 1 entries"},
		{"mail altered", func(r *recording) { r.mails[0] += "x" }, "mail to port 587"},
		{"mail absent", func(r *recording) { r.mails = nil }, "mail to port 587"},
		{"octets lost", func(r *recording) {
			r.entries[1].Mirror = map[string]mirrored{sinkName: {70, 10, "queue-full"}}
		}, "lost 10 queue-full"},
		{"octets not counted", func(r *recording) {
			r.entries[0].Mirror = map[string]mirrored{sinkName: {30, 0, ""}}
			r.entries[0].Octets.Up += 5
		}, "relayed 15"},
		{"mirror count", func(r *recording) {
			r.entries[0].Mirror = map[string]mirrored{sinkName: {31, 0, ""}}
		}, "mirrored 31"},
		{"more recorded than relayed", func(r *recording) { r.entries[0].Octets.Up = 9 }, "relayed 9"},
		{"not closed", func(r *recording) { r.conversations[1].Closed = false }, "closed: false"},
		{"service said otherwise", func(r *recording) { r.entries[3].Service[scanner] = "unmodified" }, "c.html, audit entry"},
		{"service of the entry not expected", func(r *recording) { r.entries[3].Service["other"] = "carried" }, "c.html, audit entry"},
		{"the origin was asked", func(r *recording) { r.served += "\nGET /" + threat }, "origin's log"},
		{"pcapng file differs", func(r *recording) { r.files[1].OriginToClient-- }, "30 and 39 octets in the file"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r, fetches, mails, pages := sound()
			tc.spoil(r)
			var text strings.Builder
			out := &story{w: &text}
			r.compare(out, fetches, mails, pages)
			err := out.verdict()
			if (err == nil) != (tc.want == "") || !strings.Contains(text.String(), tc.want) {
				t.Errorf("verdict %v, told:\n%s", err, &text)
			}
		})
	}
}

func TestTell(t *testing.T) {
	r, _, mails, _ := sound()
	r.requests = [][]string{{"0", "GET", "www.example.test", "/a.html"}}
	r.responses = [][]string{{"0", "200", "text/html", "3"}}
	r.requests2 = [][]string{{"1", "GET", "www.example.test", "/b.html"}}
	r.messages = [][]string{{"2", "alice", "bob", mails[0].subject}}
	var text strings.Builder
	r.tell(&story{w: &text})
	want := `  HTTP/1.1 GET http://www.example.test/a.html -> 200 text/html 3 octets
  HTTP/2   GET http://www.example.test/b.html -> no response
  mail     from alice to bob: "S"
           | B
`
	if diff := cmp.Diff(want, text.String()); diff != "" {
		t.Error(diff)
	}
}

func TestReadEntries(t *testing.T) {
	file := filepath.Join(t.TempDir(), "sessions.jsonl")
	for _, tc := range []struct {
		name, text string
		want       int
		fails      bool
	}{
		{"empty", "", 0, false},
		{"two", `{"client":"192.0.2.1:1","octets":{"client_to_origin":3,"origin_to_client":4},"mirror":{"recorder":{"octets":7,"lost":0}}}` + "\n" +
			`{"client":"[2001:db8::1]:2","octets":{},"mirror":null}` + "\n" + `{"client":"","outcome":"dropped","frames":3}` + "\n", 2, false},
		{"torn", `{"client":`, 0, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if err := os.WriteFile(file, []byte(tc.text), 0o600); err != nil {
				t.Fatal(err)
			}
			list, err := readEntries(file)
			if len(list) != tc.want || (err != nil) != tc.fails {
				t.Errorf("got %+v, %v", list, err)
			}
			if tc.want == 2 && (list[0].Octets.Down != 4 || list[0].Mirror[sinkName].Octets != 7 || list[1].Client.Port() != 2) {
				t.Errorf("got %+v", list)
			}
		})
	}
}
