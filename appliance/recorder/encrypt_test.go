package recorder_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"filippo.io/age"

	"github.com/clearspan/clearspan/appliance/recorder"
	"github.com/clearspan/clearspan/appliance/recorder/rowstest"
	"github.com/clearspan/clearspan/appliance/recorder/trail"
	"github.com/clearspan/clearspan/appliance/recorder/volume"
	"github.com/clearspan/clearspan/hack/needs"
)

// identity makes an identity, and returns its file and its recipient.
func identity(t *testing.T) (file, recipient string) {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(t.TempDir(), "identity")
	if err := os.WriteFile(file, []byte(id.String()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return file, id.Recipient().String()
}

// filesOf returns the files below a directory.
func filesOf(t *testing.T, dir string) (names []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			names = append(names, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// runOver runs a recorder over the captures of a directory, until it has as many lines.
func runOver(t *testing.T, c recorder.Config, lines int) {
	t.Helper()
	c.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	r, err := recorder.New(c)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- errors.Join(r.Run(ctx), r.Close()) }()
	for limit := time.Now().Add(time.Minute); len(kept(t, c.Directory)) < lines && time.Now().Before(limit); {
		time.Sleep(100 * time.Millisecond)
	}
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// TestEncrypted: a recorder that encrypts finds the same as one that does not, keeps no
// cleartext but the trail, and is verified without the identity. With it, all can be read.
func TestEncrypted(t *testing.T) {
	dir := t.TempDir()
	name := captured(t, oneBehindTheOther(some(rowstest.Rows(), 0, 4)))
	all, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	plain := filepath.Join(dir, "plain")
	if _, err := recorder.Import(t.Context(), []string{name}, recorder.ImportOptions{Directory: plain}); err != nil {
		t.Fatal(err)
	}
	want := kept(t, plain)
	key, to := identity(t)
	rec := filepath.Join(dir, "rec")
	runOver(t, recorder.Config{Directory: rec, Incoming: []string{incoming(t, all)}, Encrypt: recorder.Encryption{To: []string{to}}}, len(want))
	if got := kept(t, rec); !slices.Equal(got, want) {
		t.Fatalf("%d lines, want %d, or others", len(got), len(want))
	}
	for _, below := range []string{"packets", "content"} {
		for _, name := range filesOf(t, filepath.Join(rec, below)) {
			p, err := os.ReadFile(name)
			if err != nil || filepath.Ext(name) != ".json" && filepath.Ext(name) != ".index" && !bytes.HasPrefix(p, []byte("age-encryption.org/v1\n")) {
				t.Errorf("%s is no age file, or: %v", name, err)
			}
		}
	}
	t.Run("verify", func(t *testing.T) {
		v, err := recorder.Verify(t.Context(), rec, "", nil, nil)
		if err != nil || len(v.Faults) > 0 || v.Locked == 0 || v.Locked != v.Objects {
			t.Errorf("without the identity: %+v, %v", v, err)
		}
		a := unlocked(t, rec, key)
		v, err = a.Verify(t.Context(), rec, nil, nil)
		if err != nil || len(v.Faults) > 0 || v.Locked != 0 {
			t.Errorf("with the identity: %+v, %v", v, err)
		}
	})
	t.Run("export", func(t *testing.T) {
		for _, format := range []string{"pcapng", "files"} {
			out := filepath.Join(t.TempDir(), format)
			if _, err := recorder.Export(t.Context(), rec, unlocked(t, rec, ""), trail.Question{}, format, out); err == nil || !strings.Contains(err.Error(), "identity") {
				t.Errorf("%s without the identity: %v", format, err)
			}
			os.RemoveAll(out)
			e, err := recorder.Export(t.Context(), rec, unlocked(t, rec, key), trail.Question{}, format, out)
			if err != nil || e.Frames+e.Files == 0 {
				t.Errorf("%s: %+v, %v", format, e, err)
			}
		}
	})
	t.Run("age", func(t *testing.T) {
		clear, err := exec.Command(needs.Program(t, "age"), "-d", "-i", key, volume.File(filepath.Join(rec, "packets"), 1)).Output()
		if err != nil || !bytes.HasPrefix(clear, []byte{0x0a, 0x0d, 0x0d, 0x0a}) {
			t.Errorf("age: %v", err)
		}
	})
	t.Run("changed", func(t *testing.T) {
		names := filesOf(t, filepath.Join(rec, "content"))
		p, err := os.ReadFile(names[0])
		if err != nil {
			t.Fatal(err)
		}
		p[len(p)-1] ^= 1
		if err := os.WriteFile(names[0], p, 0o600); err != nil {
			t.Fatal(err)
		}
		v, err := recorder.Verify(t.Context(), rec, "", nil, nil)
		if err != nil || len(v.Faults) != 1 || !strings.Contains(v.Faults[0], "was changed") {
			t.Errorf("%+v, %v", v, err)
		}
	})
}

// unlocked opens an archive with an identity; "": without.
func unlocked(t *testing.T, dir, key string) *recorder.Archive {
	t.Helper()
	a, err := recorder.OpenArchive(dir, "")
	if err == nil {
		err = a.Unlock(key)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	return a
}

// TestKeyLost: packets that were not analysed when the process died are told of, and stay.
// What comes next is analysed.
func TestKeyLost(t *testing.T) {
	dir := t.TempDir()
	rec := filepath.Join(dir, "rec")
	key, to := identity(t)
	recipient, err := age.ParseX25519Recipient(to)
	if err != nil {
		t.Fatal(err)
	}
	w, err := volume.Open(filepath.Join(rec, "packets"), volume.Options{Recipients: []age.Recipient{recipient}})
	if err != nil {
		t.Fatal(err)
	}
	for range 200 {
		w.Add(volume.Frame{Octets: make([]byte, 1000), At: time.Unix(1, 0), Link: 1})
	}
	w.Flush() // and it dies
	all, err := os.ReadFile(captured(t, oneBehindTheOther(some(rowstest.Rows(), 0, 8))))
	if err != nil {
		t.Fatal(err)
	}
	runOver(t, recorder.Config{Directory: rec, Incoming: []string{incoming(t, all)}, Encrypt: recorder.Encryption{To: []string{to}}}, 10)
	if s, err := recorder.ReadStatus(rec); err != nil || s.Unread != 2 || s.Volumes < 2 || s.Events == 0 {
		t.Errorf("%+v, %v", s, err)
	}
	if v, err := unlocked(t, rec, key).Verify(t.Context(), rec, nil, nil); err != nil || len(v.Faults) > 0 {
		t.Errorf("%+v, %v", v, err)
	}
}
