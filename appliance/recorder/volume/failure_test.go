package volume

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// refuse has the next write of the open volume fail.
func refuse(t *testing.T, w *Writer) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	f, err := os.Open(w.file.Name())
	if err != nil {
		t.Fatal(err)
	}
	w.file.Close()
	w.file = f
}

// follow returns the next n frames of a reader, of which the first is frame from.
func follow(t *testing.T, r *Reader, from, n int) {
	t.Helper()
	for end := time.Now().Add(time.Minute); n > 0; {
		f, _, err := r.Next(t.Context(), 10*time.Millisecond)
		if err != nil || time.Now().After(end) {
			t.Fatalf("frame %d does not come: %v", from, err)
		}
		if f.Octets == nil {
			if r.w.ended() {
				t.Fatalf("frame %d does not come", from)
			}
			continue
		}
		check(t, f, from)
		from++
		n--
	}
}

// TestFollowRefusedBeginning: a reader that waits in a volume goes on with it when its first
// octets could be written at last.
func TestFollowRefusedBeginning(t *testing.T) {
	dir := t.TempDir()
	w := open(t, dir, Options{})
	w.Add(frame(0))
	r := NewReader(dir, w, 0)
	defer r.Close()
	if f, _, err := r.Next(t.Context(), time.Millisecond); err != nil || f.Octets != nil {
		t.Fatalf("%v, %v", f, err)
	}
	refuse(t, w)
	w.Flush()
	if c := w.Counts(); c.Dropped != 1 || c.Stored != 0 {
		t.Fatalf("%+v", c)
	}
	for i := 1; i < 4; i++ {
		w.Add(frame(i))
	}
	w.Close()
	follow(t, r, 1, 3)
	if f, _, err := r.Next(t.Context(), 0); !errors.Is(err, io.EOF) {
		t.Errorf("%v, %v", f, err)
	}
	list, err := List(dir)
	if err != nil || len(list) != 1 || list[0].Dropped != 1 || list[0].Frames != 3 {
		t.Errorf("%+v, %v", list, err)
	}
}

// TestSealedLater: a volume whose summary cannot be written is completed when it can, in
// order, and readers go on behind it.
func TestSealedLater(t *testing.T) {
	dir := t.TempDir()
	w := open(t, dir, Options{Size: 1})
	r := NewReader(dir, w, 0)
	defer r.Close()
	hinder := path(dir, 1) + summary
	if err := os.MkdirAll(filepath.Join(hinder, "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	for i := range 3 { // three volumes
		w.Add(frame(i))
	}
	w.Flush()
	if list, err := List(dir); err != nil || len(list) != 0 {
		t.Fatalf("complete before the first is: %+v, %v", list, err)
	}
	if err := os.RemoveAll(hinder); err != nil {
		t.Fatal(err)
	}
	w.Flush()
	follow(t, r, 0, 3)
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	if list, err := List(dir); err != nil || len(list) != 3 || list[0].Frames != 1 || list[0].SHA256 == "" {
		t.Errorf("%+v, %v", list, err)
	}
}

// TestDroppedBetween: frames that are dropped while no volume can be opened stand in the
// summary of the next one.
func TestDroppedBetween(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "v")
	w := open(t, dir, Options{})
	if err := os.Rename(dir, dir+"-away"); err != nil {
		t.Fatal(err)
	}
	for i := range 7 {
		w.Add(frame(i))
	}
	if err := os.Rename(dir+"-away", dir); err != nil {
		t.Fatal(err)
	}
	w.Add(Frame{Octets: bytes.Repeat([]byte{1}, 60), At: time.Unix(1, 0), Link: 1})
	w.Close()
	list, err := List(dir)
	if err != nil || len(list) != 1 || list[0].Dropped != 7 {
		t.Errorf("%+v, %v", list, err)
	}
}
