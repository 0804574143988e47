package alert

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/mail"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// taker takes alerts, or refuses them.
type taker struct {
	mu     sync.Mutex
	titles []string
	refuse bool
}

func (t *taker) Name() string { return "taker" }
func (t *taker) Send(_ context.Context, a *Alert) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.refuse {
		return errors.New("refused")
	}
	t.titles = append(t.titles, a.Title())
	return nil
}

func (t *taker) taken() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return append([]string(nil), t.titles...)
}

func finding(detector, client string) Finding {
	return Finding{At: time.Unix(1_800_000_000, 0), Detector: detector, Count: 3, Score: 95, Sample: "1234-****-**18", Client: client, File: "名簿.csv", Event: "e1"}
}

// await waits until f holds.
func await(t *testing.T, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !f(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal(what)
		}
	}
}

func start(t *testing.T, q *Queue) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { q.Run(ctx) })
	return func() { cancel(); running.Wait() }
}

// TestQueue: the first finding is told at once, others together; what was refused comes later,
// also to another process.
func TestQueue(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "alerts")
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	to := &taker{refuse: true}
	q, err := Open(dir, []Receiver{to}, log)
	if err != nil {
		t.Fatal(err)
	}
	stop := start(t, q)
	for i := range 30 {
		q.Add(finding("my-number", fmt.Sprintf("10.0.0.1:%d", i)), nil)
	}
	q.Add(finding("card", "10.0.0.1:5"), nil)
	stop()
	to.refuse = false
	again, err := Open(dir, []Receiver{to}, log)
	if err != nil {
		t.Fatal(err)
	}
	defer start(t, again)()
	await(t, "not all alerts come", func() bool { return len(to.taken()) == 3 })
	want := []string{"my-number (3) sent by 10.0.0.1:0", "card (3) sent by 10.0.0.1:5", "29 times my-number, sent by 10.0.0.1:1"}
	if got := to.taken(); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("%q", got)
	}
	await(t, "alerts are left", func() bool { list, _ := os.ReadDir(again.folder(0)); return len(list) == 0 })
}

// TestHook: what is posted is signed, and an answer that is no success is an error.
func TestHook(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret")
	os.WriteFile(secret, []byte("0123456789abcdef\n"), 0o600)
	status := 200
	var body []byte
	var signature string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ = io.ReadAll(r.Body)
		signature = r.Header.Get("X-Signature-256")
		w.WriteHeader(status)
	}))
	defer s.Close()
	r, err := Parse(s.URL + "/x?secret-file=" + secret)
	if err != nil {
		t.Fatal(err)
	}
	a := &Alert{Findings: []Finding{finding("my-number", "10.0.0.1:1")}}
	if err := r.Send(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	m := hmac.New(sha256.New, []byte("0123456789abcdef"))
	m.Write(body)
	var got map[string]any
	if err := json.Unmarshal(body, &got); err != nil || signature != "sha256="+hex.EncodeToString(m.Sum(nil)) || got["title"] != a.Title() {
		t.Errorf("%s, %s, %v", body, signature, err)
	}
	status = 503
	if err := r.Send(t.Context(), a); err == nil {
		t.Error("503 is taken for success")
	}
}

// TestMessage: a mail that other programs read, whatever the findings have in them.
func TestMessage(t *testing.T) {
	r, err := Parse("smtp://mail.example.test/?to=a@example.test,b@example.test")
	if err != nil {
		t.Fatal(err)
	}
	f := finding("my-number", "10.0.0.1:1")
	f.Client = "x\r\nBcc: evil@example.test"
	text := r.(*letters).message(&Alert{Findings: []Finding{f}}, time.Now())
	got, err := mail.ReadMessage(strings.NewReader(string(text)))
	if err != nil || got.Header.Get("Bcc") != "" || got.Header.Get("To") != "<a@example.test>, <b@example.test>" {
		t.Errorf("%v, %v", got, err)
	}
}

// TestParse: addresses that are refused.
func TestParse(t *testing.T) {
	for _, bad := range []string{"", "ftp://x/", "smtp://x/", "smtp://x/?to=a", "smtp://x/?to=a@b%0d%0ac", "http://example.test/", "https://user:secret@x/", "https://x/?secret-file=/nosuch", "smtp:///?to=a@b", "syslog+tls://", "syslog+tcp://x/?ca=y", "syslog+tls://x/?ca=/nosuch", "siem=syslog+tls:x"} {
		if r, err := Parse(bad); err == nil {
			t.Errorf("%s is taken: %v", bad, r)
		} else if strings.Contains(err.Error(), "secret@") {
			t.Errorf("a password is told: %v", err)
		}
	}
}
