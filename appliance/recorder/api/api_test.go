package api

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/clearspan/clearspan/appliance/recorder"
	"github.com/clearspan/clearspan/appliance/recorder/rowstest"
	"github.com/clearspan/clearspan/appliance/recorder/trail"
	"github.com/clearspan/clearspan/decrypt/proto"
)

var update = flag.Bool("update", false, "write the golden files again")

// page is what a client uploads: a page with a script in it.
const page = "<html><script>alert(1)</script><p>個人番号 123456789018</p></html>\n"

const message = "From: alice@example.test\r\nTo: bob@example.test\r\nSubject: Minutes\r\nContent-Type: text/html\r\n\r\n<b>All of us</b>\r\n"

// rows are an upload and a mail.
func rows() []rowstest.Row {
	say := func(from proto.Direction, text string) rowstest.Step {
		return rowstest.Step{From: from, Octets: []byte(text)}
	}
	up, down := proto.ClientToOrigin, proto.OriginToClient
	return []rowstest.Row{
		{Name: "api upload", Talks: []rowstest.Talk{{Steps: []rowstest.Step{
			say(up, fmt.Sprintf("PUT /in/list.html HTTP/1.1\r\nHost: www.example.test\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n%s", len(page), page)),
			say(down, "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n"),
		}}}},
		{Name: "api mail", Talks: []rowstest.Talk{{Server: 25, Steps: []rowstest.Step{
			say(down, "220 mx.example.test ESMTP\r\n"), say(up, "EHLO c.example.test\r\n"), say(down, "250 mx.example.test\r\n"),
			say(up, "MAIL FROM:<alice@example.test>\r\n"), say(down, "250 ok\r\n"), say(up, "RCPT TO:<bob@example.test>\r\n"), say(down, "250 ok\r\n"),
			say(up, "DATA\r\n"), say(down, "354 go on\r\n"), say(up, message+".\r\n"), say(down, "250 ok\r\n"), say(up, "QUIT\r\n"), say(down, "221 bye\r\n"),
		}}}},
	}
}

// recorded returns the directory of a recorder that has recorded the rows, and ended.
func recorded(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	in, rec := filepath.Join(dir, "in"), filepath.Join(dir, "rec")
	var frames []rowstest.Frame
	for i, row := range rows() {
		for _, f := range (rowstest.Render{}).Frames(&row) {
			f.At = f.At.Add(time.Duration(i) * time.Minute)
			frames = append(frames, f)
		}
	}
	var b bytes.Buffer
	if err := rowstest.Write(&b, frames); err != nil {
		t.Fatal(err)
	}
	file, old := filepath.Join(in, "a.pcap"), time.Now().Add(-time.Minute)
	if err := errors.Join(os.Mkdir(in, 0o700), os.WriteFile(file, b.Bytes(), 0o600), os.Chtimes(file, old, old)); err != nil {
		t.Fatal(err)
	}
	r, err := recorder.New(recorder.Config{Directory: rec, Incoming: []string{in}, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	for {
		if _, err := os.Stat(file + ".done"); err == nil || ctx.Err() != nil {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	cancel()
	if err := errors.Join(<-done, r.Close()); err != nil {
		t.Fatal(err)
	}
	return rec
}

// box is an API with a token for each role.
type box struct {
	url    string
	dir    string
	tokens map[Role]string
	file   *Tokens
	logged []Access
	refuse error // of the log
}

func open(t *testing.T) *box {
	t.Helper()
	b := &box{dir: recorded(t), tokens: make(map[Role]string)}
	a, err := recorder.OpenArchive(b.dir, "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	b.file = OpenTokens(b.dir)
	for _, r := range Roles {
		if b.tokens[r], err = b.file.Add(string(r)+"s", []Role{r}, time.Hour); err != nil {
			t.Fatal(err)
		}
	}
	log, err := OpenLog(b.dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { log.Close() })
	s := httptest.NewServer(Handler(Config{Directory: b.dir, Archive: a, Tokens: b.file, Log: func(x Access) error {
		b.logged = append(b.logged, x)
		return errors.Join(b.refuse, log.Write(x))
	}}))
	t.Cleanup(s.Close)
	b.url = s.URL
	return b
}

// get asks with a token, and returns the answer and its body.
func (b *box) get(t *testing.T, token, path string) (*http.Response, string) {
	t.Helper()
	q, err := http.NewRequest(http.MethodGet, b.url+Prefix+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		q.Header.Set("Authorization", "Bearer "+token)
	}
	a, err := http.DefaultClient.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	body, err := io.ReadAll(a.Body)
	if err != nil {
		t.Fatal(err)
	}
	return a, string(body)
}

// why is what contents need.
const why = "case=2026-17&reason=list+of+numbers"

// indented returns JSON for a golden file.
func indented(t *testing.T, body string) string {
	t.Helper()
	var out bytes.Buffer
	if err := json.Indent(&out, []byte(body), "", "  "); err != nil {
		t.Fatalf("%v: %.200s", err, body)
	}
	return out.String()
}

// ids returns the identifier of the upload's and of the mail's event and session, and the hash
// of what was uploaded.
func (b *box) ids(t *testing.T) (upload, mail Event) {
	t.Helper()
	_, body := b.get(t, b.tokens[Viewer], "events")
	var all Events
	if err := json.Unmarshal([]byte(body), &all); err != nil || len(all.Events) != 2 {
		t.Fatalf("%v: %s", err, body)
	}
	return all.Events[1], all.Events[0]
}

// TestAnswers: each route gives what the golden file has.
func TestAnswers(t *testing.T) {
	b := open(t)
	upload, mail := b.ids(t)
	object := upload.Objects[0].Object
	for _, tt := range []struct {
		name, path string
		role       Role
	}{
		{"events", "events", Viewer},
		{"events-query", "events?q=method:PUT&from=2026-11-01T00:00:00Z&to=2026-12-01T00:00:00Z", Viewer},
		{"events-none", "events?q=method:GET", Viewer},
		{"event", "events/" + upload.ID, Viewer},
		{"sessions", "sessions", Viewer},
		{"session", "sessions/" + mail.Session, Viewer},
		{"object", "objects/" + object, Viewer},
		{"sightings", "objects/" + object + "/sightings", Viewer},
		{"findings", "findings?q=protocol:http", Viewer},
		{"timeline", "timeline?from=2026-11-02T00:00:00Z&to=2026-11-03T00:00:00Z&step=1h", Viewer},
		{"top", "top?field=host&from=2026-11-02T00:00:00Z", Viewer},
		{"text", "objects/" + object + "/text?" + why, Investigator},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a, body := b.get(t, b.tokens[tt.role], tt.path)
			if a.StatusCode != http.StatusOK || a.Header.Get("Content-Type") != "application/json" || a.Header.Get("Cache-Control") != "no-store" {
				t.Fatalf("%s, %v: %s", a.Status, a.Header, body)
			}
			file, got := filepath.Join("testdata", tt.name+".json"), indented(t, body)
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatalf("%v: run the tests with -update", err)
			}
			if d := cmp.Diff(string(want), got); d != "" {
				t.Error(d)
			}
		})
	}
}

// TestPages: pages have each event once.
func TestPages(t *testing.T) {
	b := open(t)
	upload, mail := b.ids(t)
	var got []string
	for next := "?limit=1"; next != ""; {
		_, body := b.get(t, b.tokens[Viewer], "events"+next)
		var p Events
		if err := json.Unmarshal([]byte(body), &p); err != nil || len(got) > 2 {
			t.Fatalf("%v: %s", err, body)
		}
		for _, e := range p.Events {
			got = append(got, e.ID)
		}
		if next = ""; p.Next != "" {
			next = "?limit=1&cursor=" + p.Next
		}
	}
	if want := []string{mail.ID, upload.ID}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// TestContents: contents come as they were, as attachments that no browser runs.
func TestContents(t *testing.T) {
	b := open(t)
	upload, mail := b.ids(t)
	object := upload.Objects[0].Object
	get := func(path string) (*http.Response, string) {
		t.Helper()
		a, body := b.get(t, b.tokens[Investigator], path+"?"+why)
		h := a.Header
		if a.StatusCode != http.StatusOK || !strings.HasPrefix(h.Get("Content-Disposition"), "attachment;") || h.Get("X-Content-Type-Options") != "nosniff" ||
			h.Get("Content-Security-Policy") != "sandbox; default-src 'none'" || strings.Contains(h.Get("Content-Type"), "html") {
			t.Errorf("%s: %s, %v: %.200s", path, a.Status, h, body)
		}
		return a, body
	}
	if _, body := get("objects/" + object + "/content"); body != page || fmt.Sprintf("%x", sha256.Sum256([]byte(body))) != object {
		t.Errorf("content: %q", body)
	}
	if _, body := get("mails/" + mail.ID + ".eml"); body != message {
		t.Errorf("mail: %q", body)
	}
	if _, body := get("sessions/" + upload.Session + "/pcapng"); !strings.HasPrefix(body, "\x0a\x0d\x0d\x0a") || !strings.Contains(body, "PUT /in/list.html") {
		t.Errorf("pcapng: %d octets", len(body))
	}
	var said [2]string
	_, body := get("sessions/" + upload.Session + "/stream")
	for line := range strings.Lines(body) {
		var p Piece
		if err := json.Unmarshal([]byte(line), &p); err != nil {
			t.Fatal(err)
		}
		if p.Direction == trail.Sent.String() {
			said[0] += string(p.Octets)
		} else {
			said[1] += string(p.Octets)
		}
	}
	if !strings.HasSuffix(said[0], page) || said[1] != "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n" {
		t.Errorf("stream: %q", said)
	}
}

// TestRoles: each route answers its role alone, and contents only for a case and a reason.
func TestRoles(t *testing.T) {
	b := open(t)
	upload, mail := b.ids(t)
	fill := strings.NewReplacer("events/{id}", "events/"+upload.ID, "{id}", upload.Session, "{sha}", upload.Objects[0].Object, "{file}", mail.ID+".eml")
	for _, r := range Routes {
		path := fill.Replace(r.Pattern)
		for role, token := range b.tokens {
			want := http.StatusForbidden
			if role == r.Role {
				want = http.StatusOK
			}
			if a, body := b.get(t, token, path+"?field=host&"+why); a.StatusCode != want {
				t.Errorf("%s as %s: %s, %.200s", r.Pattern, role, a.Status, body)
			}
		}
		for _, token := range []string{"", "x", b.tokens[r.Role] + "x"} {
			if a, _ := b.get(t, token, path+"?"+why); a.StatusCode != http.StatusUnauthorized {
				t.Errorf("%s with token %q: %s", r.Pattern, token, a.Status)
			}
		}
		if r.Content {
			for _, less := range []string{"", "?case=1", "?reason=x", "?case=+&reason=x"} {
				if a, _ := b.get(t, b.tokens[r.Role], path+less); a.StatusCode != http.StatusForbidden {
					t.Errorf("%s%s: %s", r.Pattern, less, a.Status)
				}
			}
		}
	}
	if err := b.file.Remove("viewers"); err != nil {
		t.Fatal(err)
	}
	if a, _ := b.get(t, b.tokens[Viewer], "events"); a.StatusCode != http.StatusUnauthorized {
		t.Errorf("a token that was taken back: %s", a.Status)
	}
}

// TestLog: who looked at what is in the log before the answer; without the log there is none.
func TestLog(t *testing.T) {
	b := open(t)
	upload, _ := b.ids(t)
	object := upload.Objects[0].Object
	b.logged = nil
	b.get(t, b.tokens[Investigator], "objects/"+object+"/content?"+why)
	want := Access{Who: "investigators", Role: Investigator, Route: "objects/{sha}/content", What: Prefix + "objects/" + object + "/content", Case: "2026-17", Reason: "list of numbers"}
	if len(b.logged) != 1 {
		t.Fatalf("%+v", b.logged)
	}
	got := b.logged[0]
	if got.From == "" || time.Since(got.At) > time.Minute {
		t.Errorf("%+v", got)
	}
	got.From, got.At = "", time.Time{}
	if got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	_, body := b.get(t, b.tokens[Auditor], "access?limit=2")
	var list struct{ Accesses []Access }
	if err := json.Unmarshal([]byte(body), &list); err != nil || len(list.Accesses) != 2 || list.Accesses[0].Case != "2026-17" || list.Accesses[1].Route != "access" {
		t.Errorf("%s, %v", body, err)
	}
	b.refuse = errors.New("the disk is full")
	if a, body := b.get(t, b.tokens[Investigator], "objects/"+object+"/content?"+why); a.StatusCode != http.StatusInternalServerError || strings.Contains(body, "disk") || strings.Contains(body, "個人") {
		t.Errorf("%s: %s", a.Status, body)
	}
}

// TestLogIsSealed: lines of the log are in the chain of evidence; one that is changed is found.
// A link in its place is not followed.
func TestLogIsSealed(t *testing.T) {
	dir := recorded(t)
	log, err := OpenLog(dir)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := log.Write(Access{Who: "alice", Role: Viewer, What: "x"}); err != nil {
			t.Fatal(err)
		}
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	capture := filepath.Join(t.TempDir(), "a.pcap")
	var b bytes.Buffer
	if err := errors.Join(rowstest.Write(&b, rowstest.Render{}.Frames(&rows()[0])), os.WriteFile(capture, b.Bytes(), 0o600)); err != nil {
		t.Fatal(err)
	}
	if _, err := recorder.Import(t.Context(), []string{capture}, recorder.ImportOptions{Directory: dir}); err != nil { // it signs
		t.Fatal(err)
	}
	verify := func() []string {
		t.Helper()
		v, err := recorder.Verify(t.Context(), dir, "", nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		return v.Faults
	}
	if faults := verify(); len(faults) > 0 {
		t.Errorf("%q", faults)
	}
	name := filepath.Join(dir, recorder.AccessName)
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, bytes.Replace(text, []byte("alice"), []byte("carol"), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	if faults := verify(); len(faults) != 1 || !strings.Contains(faults[0], "log of accesses: lines from octet 0") {
		t.Errorf("%q", faults)
	}
	other := filepath.Join(dir, "other")
	if err := errors.Join(os.Rename(name, other), os.Symlink(other, name)); err != nil {
		t.Fatal(err)
	}
	if log, err := OpenLog(dir); err == nil {
		log.Close()
		t.Error("a link is followed")
	}
}

// TestBadRequests: what cannot be read is told in words, and is no fault of the recorder.
func TestBadRequests(t *testing.T) {
	b := open(t)
	none := strings.Repeat("0", 64)
	for path, want := range map[string]int{
		"events?q=" + url.QueryEscape("nosuch:1"): 400, "events?q=" + url.QueryEscape("(a"): 400, "events?limit=0": 400, "events?limit=10001": 400,
		"events?from=yesterday": 400, "events?cursor=x": 400, "events/x": 400, "events/" + none[:32]: 404, "objects/../../etc/passwd": 404,
		"objects/x": 400, "objects/" + none: 404, "objects/" + none + "/sightings": 404, "sessions/" + none[:32]: 404,
		"timeline?step=x": 400, "timeline?from=2026-01-01T00:00:00Z&to=2026-11-03T00:00:00Z&step=1s": 400, "timeline?step=-1h": 400, "top": 400, "top?field=subject": 400,
		"findings?q=" + url.QueryEscape("a) or (b"): 400, "nosuch": 404,
	} {
		a, body := b.get(t, b.tokens[Viewer], path)
		if a.StatusCode != want || want == 400 && !regexp.MustCompile(`"detail":".+"`).MatchString(body) {
			t.Errorf("%s: %s, want %d: %.200s", path, a.Status, want, body)
		}
	}
	for _, path := range []string{"objects/" + none + "/content?" + why, "mails/" + none[:32] + ".eml?" + why, "mails/x?" + why, "sessions/" + none[:32] + "/pcapng?" + why} {
		if a, body := b.get(t, b.tokens[Investigator], path); a.StatusCode != 404 {
			t.Errorf("%s: %s, %.200s", path, a.Status, body)
		}
	}
	a, err := http.Post(b.url+Prefix+"events", "text/plain", nil)
	if err != nil || a.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("POST: %v, %v", a, err)
	}
}

// TestListen: there is no way to it from other machines.
func TestListen(t *testing.T) {
	for _, address := range []string{"", ":8095", "0.0.0.0:8095", "192.0.2.1:8095", "[::]:8095", "localhost"} {
		if l, err := Listen(address); err == nil {
			l.Close()
			t.Errorf("listens at %q", address)
		}
	}
	path := filepath.Join(t.TempDir(), "api.sock")
	for range 2 {
		l, err := Listen("unix:" + path)
		if err != nil {
			t.Fatal(err)
		}
		l.(*net.UnixListener).SetUnlinkOnClose(false) // as if the process died
		if i, err := os.Stat(path); err != nil || i.Mode().Perm() != 0o600 {
			t.Errorf("%v, %v", i, err)
		}
		l.Close()
	}
	ctx, cancel := context.WithCancel(t.Context())
	l, err := Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- Serve(ctx, l, http.NotFoundHandler(), slog.New(slog.DiscardHandler)) }()
	a, err := http.Get("http://" + l.Addr().String())
	if err != nil || a.StatusCode != 404 {
		t.Errorf("%v, %v", a, err)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// TestManual: the manual has the routes as they are.
func TestManual(t *testing.T) {
	manual, err := os.ReadFile("../../docs/record.md")
	if err != nil {
		t.Fatal(err)
	}
	shown := strings.NewReplacer("{id}", "ID", "{sha}", "SHA", "{file}", "ID.eml")
	for _, r := range Routes {
		line := fmt.Sprintf("| `%s` | %s | %s |\n", shown.Replace(r.Pattern), r.Role, r.About)
		if !strings.Contains(string(manual), line) {
			t.Errorf("record.md lacks: %s", line)
		}
	}
}
