package recorder_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/clearspan/clearspan/appliance/recorder"
	"github.com/clearspan/clearspan/appliance/recorder/retain"
	"github.com/clearspan/clearspan/appliance/recorder/rowstest"
	"github.com/clearspan/clearspan/appliance/recorder/trail"
	"github.com/clearspan/clearspan/appliance/recorder/volume"
)

// wholeCapture returns a capture of rows, one behind the other.
func wholeCapture(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := rowstest.Write(&b, rowstest.Together(some(rowstest.Rows(), 0, 4))); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// recorded makes the directory of a recorder that has recorded a capture. Each volume has a
// few frames.
func recorded(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "rec")
	in := t.TempDir()
	name := filepath.Join(in, "all.pcap")
	if err := os.WriteFile(name, wholeCapture(t), 0o600); err != nil {
		t.Fatal(err)
	}
	old := time.Now().Add(-time.Minute)
	if err := os.Chtimes(name, old, old); err != nil {
		t.Fatal(err)
	}
	c := recorder.Config{Directory: dir, Incoming: []string{in}, Volume: volume.Options{Size: 256 << 10}}
	untilThen(t, c, func(s *recorder.Status) bool {
		_, missing := os.Stat(name + ".done")
		return missing == nil && s.Frames > 0 && s.Analysed == s.Frames
	})
	return dir
}

// untilThen runs a recorder until something is so, or for a minute.
func untilThen(t *testing.T, c recorder.Config, is func(*recorder.Status) bool) {
	t.Helper()
	c.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	if len(c.Incoming) == 0 {
		c.Incoming = []string{t.TempDir()}
	}
	r, err := recorder.New(c)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- errors.Join(r.Run(ctx), r.Close()) }()
	there, began := false, time.Now()
	for end := time.Now().Add(time.Minute); !there && time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		s, err := recorder.ReadStatus(c.Directory)
		there = err == nil && s.Time.After(began) && s.PID != 0 && is(&s)
	}
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if !there {
		s, _ := os.ReadFile(filepath.Join(c.Directory, "status.json"))
		t.Fatalf("it did not come to be: %s", s)
	}
}

// verified verifies a directory, in which nothing may be wrong.
func verified(t *testing.T, dir string) *recorder.Verified {
	t.Helper()
	v, err := recorder.Verify(t.Context(), dir, "", nil, nil)
	if err != nil || len(v.Faults) > 0 {
		t.Fatalf("%+v, %v", v, err)
	}
	return v
}

// countFiles counts files below a directory.
func countFiles(t *testing.T, dir string) (n int) {
	t.Helper()
	err := filepath.WalkDir(dir, func(_ string, e os.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			n++
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestRetention: what is too old goes, class by class, the chain says so, and nothing else is
// missing.
func TestRetention(t *testing.T) {
	t.Parallel()
	dir := recorded(t)
	before := verified(t, dir)
	contents := countFiles(t, filepath.Join(dir, "content"))
	if before.Volumes < 3 || before.Objects < 10 || contents < 10 {
		t.Fatalf("%+v, %d contents", before, contents)
	}
	gone := func(class retain.Class) func(*recorder.Status) bool {
		return func(s *recorder.Status) bool {
			i := slices.IndexFunc(s.Kept, func(k recorder.KeptStatus) bool { return k.Class == class })
			return i >= 0 && s.Kept[i].Count == 0
		}
	}
	const age = 24 * time.Hour // the capture is older
	c := recorder.Config{Directory: dir}

	c.Retain.Received.Age = age
	untilThen(t, c, gone(retain.Received))
	v := verified(t, dir)
	if v.Gone == 0 || v.Removed != 0 || v.Days != 0 || v.Events != before.Events {
		t.Errorf("received: %+v", v)
	}
	left := countFiles(t, filepath.Join(dir, "content"))
	if left == 0 || left != contents-v.Gone {
		t.Errorf("%d files of contents are left of %d, %d are removed", left, contents, v.Gone)
	}

	c.Retain.Packets.Age = age
	untilThen(t, c, func(s *recorder.Status) bool { return len(s.Kept) > 0 && s.Volumes <= 1 })
	if v = verified(t, dir); v.Removed < before.Volumes-1 || v.Events < before.Events {
		t.Errorf("packets: %+v", v)
	}

	c.Retain.Trail.Age = age
	untilThen(t, c, gone(retain.Trail))
	if v = verified(t, dir); v.Days == 0 || v.Events != 0 || v.Unsealed != 0 {
		t.Errorf("trail: %+v", v)
	}
	if n := countFiles(t, filepath.Join(dir, "content")); n != 0 {
		t.Errorf("%d files of contents are left without rows", n)
	}
	if err := os.Remove(filepath.Join(dir, "seal", "removed-00000001.txt")); err != nil {
		t.Fatal(err)
	}
	if v, err := recorder.Verify(t.Context(), dir, "", nil, nil); err != nil || len(v.Faults) == 0 {
		t.Errorf("a list is gone: %+v, %v", v, err)
	}
}

// TestRetentionBySize: the oldest objects go until the bound holds, and not more.
func TestRetentionBySize(t *testing.T) {
	t.Parallel()
	dir := recorded(t)
	kept := func(s *recorder.Status) (size int64) {
		for _, k := range s.Kept {
			if k.Class == retain.Sent {
				size = k.Octets
			}
		}
		return size
	}
	c := recorder.Config{Directory: dir}
	var all, left int64
	untilThen(t, c, func(s *recorder.Status) bool { all = kept(s); return all > 0 })
	c.Retain.Sent.Size = all / 2
	untilThen(t, c, func(s *recorder.Status) bool { left = kept(s); return left > 0 && left <= all/2 })
	verified(t, dir)
	a, err := recorder.OpenArchive(dir, "")
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	var young, old time.Time // the oldest that is kept, the newest that is not
	err = a.Trail.Events(t.Context(), trail.Question{Limit: trail.MaxPage}, func(x *trail.Full) bool {
		for _, s := range x.Sightings {
			if x.Kind == trail.Mail || s.Direction != trail.Sent || x.Objects[s.Hash].Stored == 0 {
				continue
			}
			if r, err := a.Content().Open(s.Hash); err == nil {
				r.Close()
				if young.IsZero() || s.At.Before(young) {
					young = s.At
				}
			} else if s.At.After(old) {
				old = s.At
			}
		}
		return true
	})
	if err != nil || young.IsZero() || old.IsZero() || young.Before(old) {
		t.Errorf("kept from %v on, gone up to %v: %v", young, old, err)
	}
}

// TestDiskFull: a disk that runs full stops what is kept, class by class, which is told and
// counted.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "rec")
	in := t.TempDir()
	c := recorder.Config{Directory: dir, Incoming: []string{in}}
	var st unix.Statfs_t
	if err := unix.Statfs(in, &st); err != nil {
		t.Fatal(err)
	}
	c.Retain.Reserve = int64(st.Bavail) * st.Bsize * 6 // a sixth of it is free: packets are not kept
	untilThen(t, c, func(s *recorder.Status) bool {
		if s.Disk.Stopped == "" {
			return false
		}
		name := filepath.Join(in, "all.pcap")
		if _, err := os.Stat(name + ".done"); err == nil {
			return s.Frames > 0 && s.Refused == s.Frames
		}
		if _, err := os.Stat(name); err != nil {
			os.WriteFile(name+".part", wholeCapture(t), 0o600)
			old := time.Now().Add(-time.Minute)
			os.Chtimes(name+".part", old, old)
			os.Rename(name+".part", name)
		}
		return false
	})
	if v := verified(t, dir); v.Events != 0 {
		t.Errorf("%+v", v)
	}
}
