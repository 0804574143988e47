package trail

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// opened returns a writer of a trail, which the test closes.
func opened(t testing.TB, path string, o Options) *file {
	t.Helper()
	w, err := Open(path, o, Events{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	return w.(*file)
}

// say writes a line.
func say(t testing.TB, w io.Writer, line string) {
	t.Helper()
	if _, err := io.WriteString(w, line+"\n"); err != nil {
		t.Fatal(err)
	}
}

// rest returns the lines that r has now.
func rest(t testing.TB, r *Reader) (lines []string) {
	t.Helper()
	for {
		line, err := r.Next()
		if err == io.EOF {
			return lines
		}
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, string(line))
	}
}

func tended(t testing.TB, path string, o Options) {
	t.Helper()
	if err := Tend(t.Context(), path, o, nil); err != nil {
		t.Fatal(err)
	}
}

// Several writers end files under each other's hands while files are compressed. A reader
// that stops and begins again, wherever it is, sees every line once, and those of one
// writer in order.
func TestWritersRotateTogether(t *testing.T) {
	const writers, each = 4, 800
	path := filepath.Join(t.TempDir(), "log.jsonl")
	o := Options{Size: 8 << 10, Compress: true}
	var writing, compressing sync.WaitGroup
	for w := range writers {
		f := opened(t, path, o)
		writing.Go(func() {
			for i := range each {
				if _, err := fmt.Fprintf(f, "%d %d %s\n", w, i, strings.Repeat("x", i%300)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	ctx, stop := context.WithCancel(t.Context())
	for range 2 {
		compressing.Go(func() {
			for ctx.Err() == nil {
				if err := Tend(ctx, path, o, nil); err != nil && !errors.Is(err, context.Canceled) {
					t.Error(err)
				}
			}
		})
	}
	done := make(chan struct{})
	go func() { writing.Wait(); close(done) }()
	next := [writers]int{}
	r := NewReader(path, Position{})
	defer func() { r.Close() }()
	for total, ended := 0, false; total < writers*each; {
		line, err := r.Next()
		switch {
		case err == io.EOF && ended:
			t.Fatalf("%d of %d lines", total, writers*each)
		case err == io.EOF:
			select {
			case <-done:
				ended = true
			case <-time.After(time.Millisecond):
			}
			continue
		case err != nil:
			t.Fatal(err)
		}
		var w, i int
		if n, err := fmt.Sscanf(string(line), "%d %d ", &w, &i); n != 2 || err != nil || i != next[w] || len(line) < i%300 {
			t.Fatalf("line %q, want number %d", line, next[w])
		}
		next[w]++
		total++
		switch rand.IntN(500) {
		case 0:
			at := r.Position()
			r.Close()
			r = NewReader(path, at)
		case 1:
			r.Seek(r.Position())
		}
	}
	stop()
	compressing.Wait()
	tended(t, path, o)
	names, err := Ended(path)
	if err != nil || len(names) < writers*each*150/int(o.Size)/2 {
		t.Errorf("%d files, %v", len(names), err)
	}
	for _, name := range names {
		if !strings.HasSuffix(name, compressed) {
			t.Errorf("%s is not compressed", name)
		}
	}
	if got := rest(t, NewReader(path, Position{})); len(got) != writers*each {
		t.Errorf("%d lines of %d", len(got), writers*each)
	}
}

func TestRotation(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log.jsonl")
	at := time.Date(2026, 12, 1, 9, 59, 0, 0, time.UTC)
	f := opened(t, path, Options{Every: time.Hour, Size: 100})
	f.now = func() time.Time { return at }
	say(t, f, "one")
	at = at.Add(30 * time.Second)
	say(t, f, "two")
	at = at.Add(time.Minute)
	say(t, f, "three")
	at = at.Add(time.Minute)
	say(t, f, strings.Repeat("4", 90))
	at = at.Add(time.Minute)
	say(t, f, strings.Repeat("5", 300)) // longer than a file may be
	at = at.Add(time.Minute)
	say(t, f, "six")
	names, err := Ended(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{
		"log-20261201T100030-000000000Z.jsonl", "log-20261201T100230-000000000Z.jsonl", "log-20261201T100330-000000000Z.jsonl",
	}[:], names[:3]); diff != "" || len(names) != 3 {
		t.Errorf("%v %s", names, diff)
	}
	if got := rest(t, NewReader(path, Position{})); len(got) != 6 || got[1] != "two" || got[5] != "six" {
		t.Errorf("lines %q", got)
	}
}

// A file that had its lines before the process began ends by the time of its last one.
func TestAgeOutlivesTheProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	say(t, opened(t, path, Options{}), "old")
	yesterday := time.Now().Add(-24 * time.Hour)
	if err := os.Chtimes(path, yesterday, yesterday); err != nil {
		t.Fatal(err)
	}
	say(t, opened(t, path, Options{Every: time.Hour}), "new")
	names, err := Ended(path)
	if err != nil || len(names) != 1 {
		t.Errorf("%v, %v", names, err)
	}
}

func TestKeep(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log.jsonl")
	o := Options{Size: 1, Keep: 3, Compress: true}
	f := opened(t, path, o)
	for i := range 6 {
		say(t, f, fmt.Sprint(i))
	}
	before, _ := Ended(path)
	var left []string
	if err := Tend(t.Context(), path, o, func(name string) {
		if n, err := Lines(path, name, Position{}); n != 1 || err != nil {
			t.Errorf("%s: %d lines, %v", name, n, err)
		}
		left = append(left, name)
	}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before[:2], left); diff != "" {
		t.Error(diff)
	}
	if got := rest(t, NewReader(path, Position{})); !slices.Equal(got, []string{"2", "3", "4", "5"}) {
		t.Errorf("lines %q", got)
	}
	entries, _ := os.ReadDir(filepath.Dir(path))
	if len(entries) != 4 {
		t.Errorf("%d files", len(entries))
	}
}

// What a process killed in the middle of a compression left is no part of the trail.
func TestUnfinishedCompression(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log.jsonl")
	o := Options{Size: 1, Compress: true}
	f := opened(t, path, o)
	say(t, f, "one")
	say(t, f, "two")
	names, _ := Ended(path)
	half := filepath.Join(filepath.Dir(path), names[0]) + compressed + unfinished
	if err := os.WriteFile(half, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	tended(t, path, o)
	if got := rest(t, NewReader(path, Position{})); !slices.Equal(got, []string{"one", "two"}) {
		t.Errorf("lines %q", got)
	}
	if _, err := os.Stat(half); !os.IsNotExist(err) {
		t.Error("a half file stays")
	}
}

// A position stays true when its file has ended, was compressed, or is no more.
func TestPositionOutlivesItsFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log.jsonl")
	o := Options{Size: 30, Compress: true}
	f := opened(t, path, o)
	if at, err := End(path); err != nil || at != (Position{}) {
		t.Errorf("end of an empty trail: %+v, %v", at, err)
	}
	for i := range 9 {
		say(t, f, fmt.Sprintf("line %d....", i)) // two a file
	}
	r := NewReader(path, Position{})
	defer r.Close()
	var at []Position
	for range 9 {
		if _, err := r.Next(); err != nil {
			t.Fatal(err)
		}
		at = append(at, r.Position())
	}
	if end, err := End(path); err != nil || end != at[8] {
		t.Errorf("end %+v, %v, want %+v", end, err, at[8])
	}
	check := func(when string, from, first int, gone bool) {
		t.Helper()
		r := NewReader(path, at[from])
		defer r.Close()
		got := rest(t, r)
		missed := r.Missed()
		if len(got) != 9-first || first < 9 && got[0] != fmt.Sprintf("line %d....", first) || (missed != nil) != gone {
			t.Errorf("%s: %q, missed %v", when, got, missed)
		}
	}
	for i := range at {
		check("plain", i, i+1, false)
	}
	tended(t, path, o)
	for i := range at {
		check("compressed", i, i+1, false)
	}
	o.Keep = 2
	tended(t, path, o)
	check("removed", 0, 4, true)
	check("removed", 3, 4, true) // it was behind the last line: nobody knows any more
	check("kept", 4, 5, false)
}

// A line that another process left unfinished, killed in the middle of a write, is ended.
func TestUnfinishedLines(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	if err := os.WriteFile(path, []byte("whole\ntorn"), 0o600); err != nil {
		t.Fatal(err)
	}
	a, b := opened(t, path, Options{}), opened(t, path, Options{})
	say(t, a, "a")
	if _, err := io.WriteString(b, "half"); err != nil {
		t.Fatal(err)
	}
	say(t, a, "a")
	say(t, b, " of b")
	say(t, a, "a")
	if got := rest(t, NewReader(path, Position{})); !slices.Equal(got, []string{"whole", "torn", "a", "half", "a", "half of b", "a"}) {
		t.Errorf("lines %q", got)
	}
}

// A file that cannot be renamed goes on.
func TestNoRightToRename(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	failed := 0
	w, err := Open(path, Options{Size: 1}, Events{Failed: func(error) { failed++ }})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	at := time.Now()
	w.(*file).now = func() time.Time { return at }
	in := Name(path, at)
	if err := os.MkdirAll(filepath.Join(in, "in the way"), 0o700); err != nil {
		t.Fatal(err)
	}
	say(t, w, "one")
	say(t, w, "two")
	say(t, w, "three")
	if data, _ := os.ReadFile(path); string(data) != "one\ntwo\nthree\n" || failed != 1 {
		t.Errorf("%q, told %d times", data, failed)
	}
}

func TestNoRegularFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	w, err := Open(path, Options{Size: 1}, Events{})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if _, ok := w.(interface{ SetWriteDeadline(time.Time) error }); !ok {
		t.Errorf("a pipe is %T", w)
	}
}

// A line that is longer than a reader takes is passed over, and counts in positions.
func TestLongLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	f := opened(t, path, Options{})
	say(t, f, "before")
	say(t, f, strings.Repeat("x", MaxLine+readSize))
	say(t, f, "behind")
	r := NewReader(path, Position{})
	defer r.Close()
	if got := rest(t, r); !slices.Equal(got, []string{"before", "behind"}) {
		t.Errorf("%d lines", len(got))
	}
	if info, _ := os.Stat(path); r.Position().Offset != info.Size() {
		t.Errorf("position %d of %d", r.Position().Offset, info.Size())
	}
}

// logrotate's copytruncate empties the file.
func TestEmptiedFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	f := opened(t, path, Options{})
	say(t, f, "a long line")
	r := NewReader(path, Position{})
	defer r.Close()
	rest(t, r)
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	say(t, f, "b")
	if got := rest(t, r); !slices.Equal(got, []string{"b"}) {
		t.Errorf("lines %q", got)
	}
}

func BenchmarkWrite(b *testing.B) {
	f := opened(b, filepath.Join(b.TempDir(), "log"), Options{Size: 64 << 20})
	line := []byte(strings.Repeat("x", 999) + "\n")
	b.SetBytes(int64(len(line)))
	for b.Loop() {
		if _, err := f.Write(line); err != nil {
			b.Fatal(err)
		}
	}
}

// A damaged file ends where it cannot be read any more. The files behind it are read.
func TestDamagedFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log.jsonl")
	o := Options{Size: 1, Compress: true}
	f := opened(t, path, o)
	for i := range 3 {
		say(t, f, fmt.Sprint(i))
	}
	tended(t, path, o)
	names, _ := Ended(path)
	if err := os.Truncate(filepath.Join(filepath.Dir(path), names[0]), 6); err != nil {
		t.Fatal(err)
	}
	r := NewReader(path, Position{})
	defer r.Close()
	if got := rest(t, r); !slices.Equal(got, []string{"1", "2"}) || r.Missed() == nil {
		t.Errorf("lines %q", got)
	}
}
