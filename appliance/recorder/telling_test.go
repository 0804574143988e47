package recorder_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/clearspan/clearspan/appliance/recorder"
	"github.com/clearspan/clearspan/appliance/recorder/alert"
	"github.com/clearspan/clearspan/appliance/recorder/judge"
	"github.com/clearspan/clearspan/appliance/recorder/rowstest"
)

// TestRulesTell: who a rule names gets what it names, and nobody else gets anything.
func TestRulesTell(t *testing.T) {
	t.Parallel()
	got := make(chan alert.Alert, 10)
	office := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var a alert.Alert
		if err := json.NewDecoder(r.Body).Decode(&a); err != nil {
			t.Error(err)
		}
		got <- a
	}))
	defer office.Close()
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("another receiver is told") }))
	defer other.Close()
	var frames []rowstest.Frame
	for _, row := range rowstest.Rows() {
		if row.Name == "list of people" {
			frames = rowstest.Render{}.Frames(&row)
		}
	}
	var b bytes.Buffer
	if err := rowstest.Write(&b, frames); err != nil {
		t.Fatal(err)
	}
	in := t.TempDir()
	file, old := filepath.Join(in, "list.pcap"), time.Now().Add(-time.Minute)
	if err := errors.Join(os.WriteFile(file, b.Bytes(), 0o600), os.Chtimes(file, old, old)); err != nil {
		t.Fatal(err)
	}
	r, err := recorder.New(recorder.Config{
		Directory: filepath.Join(t.TempDir(), "rec"), Incoming: []string{in}, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Inside: []string{"10.0.0.0/8"}, Alerts: []string{"office=" + office.URL, "other=" + other.URL},
		Rules: []judge.Rule{
			{Name: "people-in", To: []string{"inside"}, Alert: []string{"other"}},
			{Name: "numbers-out", Sent: true, To: []string{"outside"}, When: map[string]uint64{"my-number": 1}, Alert: []string{"office"}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- errors.Join(r.Run(ctx), r.Close()) }()
	select {
	case a := <-got:
		if f := a.Findings[0]; len(a.Findings) != 1 || f.Rule != "numbers-out" || f.Detector != "my-number" || f.File != "list.zip" {
			t.Errorf("%+v", a)
		}
	case <-time.After(time.Minute):
		t.Error("nobody is told")
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if len(got) > 0 {
		t.Errorf("told again: %+v", <-got)
	}
}
