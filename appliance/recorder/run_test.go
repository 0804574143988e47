package recorder_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/clearspan/clearspan/appliance/recorder"
	"github.com/clearspan/clearspan/appliance/recorder/rowstest"
	"github.com/clearspan/clearspan/appliance/recorder/trail"
)

// capture writes a capture of all rows, one behind the other, and returns it.
func capture(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	var frames []rowstest.Frame
	shift := time.Duration(0)
	for _, row := range some(rowstest.Rows(), 0, 4) {
		for _, f := range (rowstest.Render{}).Frames(&row) {
			f.At = f.At.Add(shift)
			frames = append(frames, f)
		}
		shift += 2 * time.Minute
	}
	if err := rowstest.Write(&b, frames); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// kept returns what the archive of a directory has, as sorted lines.
func kept(t *testing.T, dir string) []string {
	t.Helper()
	a, err := recorder.OpenArchive(dir, "")
	if err != nil {
		return nil
	}
	defer a.Close()
	var b bytes.Buffer
	out := recorder.NewJSONLines(&b)
	err = a.Trail.Events(t.Context(), trail.Question{Limit: trail.MaxPage}, func(x *trail.Full) bool { return out.Full(x) == nil })
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
	slices.Sort(lines)
	return lines
}

// record runs a recorder until it has as many lines as are wanted, or for a minute.
func record(t *testing.T, c recorder.Config, want []string) []string {
	t.Helper()
	c.Directory, c.Log = filepath.Join(t.TempDir(), "rec"), slog.New(slog.NewTextHandler(io.Discard, nil))
	r, err := recorder.New(c)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- errors.Join(r.Run(ctx), r.Close()) }()
	var got []string
	for end := time.Now().Add(time.Minute); len(got) < len(want) && time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		got = kept(t, c.Directory)
	}
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	v, err := recorder.Verify(t.Context(), c.Directory, "", nil, nil)
	if err != nil || len(v.Faults) > 0 || v.Unsealed > 0 {
		t.Errorf("verify: %+v, %v", v, err)
	}
	return kept(t, c.Directory)
}

// TestSources: a capture gives the same events and files, whichever way it comes: imported,
// put into a directory, or over TCP.
func TestSources(t *testing.T) {
	all := capture(t)
	file := filepath.Join(t.TempDir(), "all.pcap")
	if err := os.WriteFile(file, all, 0o600); err != nil {
		t.Fatal(err)
	}
	imported := filepath.Join(t.TempDir(), "imported")
	if _, err := recorder.Import(t.Context(), []string{file}, recorder.ImportOptions{Directory: imported}); err != nil {
		t.Fatal(err)
	}
	want := kept(t, imported)
	if len(want) < 50 {
		t.Fatalf("%d lines", len(want))
	}
	compare := func(t *testing.T, got []string) {
		t.Helper()
		for _, line := range want {
			if !slices.Contains(got, line) {
				t.Fatalf("%d lines, want %d; this one is missing:\n%s", len(got), len(want), line)
			}
		}
		if len(got) != len(want) {
			t.Errorf("%d lines, want %d", len(got), len(want))
		}
	}
	t.Run("directory", func(t *testing.T) {
		dir := t.TempDir()
		name := filepath.Join(dir, "all.pcap")
		if err := os.WriteFile(name, all, 0o600); err != nil {
			t.Fatal(err)
		}
		old := time.Now().Add(-time.Minute)
		if err := os.Chtimes(name, old, old); err != nil {
			t.Fatal(err)
		}
		compare(t, record(t, recorder.Config{Incoming: []string{dir}}, want))
	})
	t.Run("pcap-over-ip", func(t *testing.T) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		go func() {
			c, err := l.Accept()
			if err != nil {
				return
			}
			defer c.Close()
			c.Write(all)
			io.Copy(io.Discard, c) // it is the other end that goes
		}()
		compare(t, record(t, recorder.Config{Feeds: []string{l.Addr().String()}}, want))
	})
}
