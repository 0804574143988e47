package recorder_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/clearspan/clearspan/appliance/recorder"
	"github.com/clearspan/clearspan/appliance/recorder/rowstest"
	"github.com/clearspan/clearspan/hack/tsatest"
)

// TestTimestamps: the signature at the end has a time stamp, which is verified with the
// certificate of the authority and not with another one. One that is away stops nothing.
func TestTimestamps(t *testing.T) {
	authority, other := tsatest.New(t), tsatest.New(t)
	all, err := os.ReadFile(captured(t, oneBehindTheOther(some(rowstest.Rows(), 0, 20))))
	if err != nil {
		t.Fatal(err)
	}
	rec := filepath.Join(t.TempDir(), "rec")
	run := func() {
		t.Helper()
		dir := incoming(t, all)
		r, err := recorder.New(recorder.Config{Directory: rec, Incoming: []string{dir}, Timestamp: authority.URL, Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		done := make(chan error, 1)
		go func() { done <- r.Run(ctx) }()
		for ctx.Err() == nil {
			if _, err := os.Stat(filepath.Join(dir, "all.pcap.done")); err == nil {
				break
			}
			time.Sleep(20 * time.Millisecond)
		}
		cancel()
		if err := errors.Join(<-done, r.Close()); err != nil {
			t.Fatal(err)
		}
	}
	verify := func(roots string) *recorder.Verified {
		t.Helper()
		a := unlocked(t, rec, "")
		if err := a.TrustStamps(roots); err != nil {
			t.Fatal(err)
		}
		v, err := a.Verify(t.Context(), rec, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	authority.Down.Store(true)
	run()
	if v := verify(authority.Root); len(v.Faults) > 0 || v.Stamps != 0 {
		t.Errorf("without an authority: %+v", v)
	}
	authority.Down.Store(false)
	run()
	v := verify(authority.Root)
	if len(v.Faults) > 0 || v.Stamps != 1 || v.AnyStamp || v.Stamped+2 != v.Links || time.Since(v.Stamp).Abs() > 10*time.Minute {
		t.Errorf("%+v", v)
	}
	if v := verify(""); len(v.Faults) > 0 || !v.AnyStamp {
		t.Errorf("without a certificate: %+v", v)
	}
	if v := verify(other.Root); len(v.Faults) != 1 || !strings.Contains(v.Faults[0], "time stamp") {
		t.Errorf("with another certificate: %+v", v)
	}
}
