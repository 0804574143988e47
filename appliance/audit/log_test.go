package audit

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// sessions returns the identifiers in a log and fails for a line that is no
// entry.
func sessions(t *testing.T, data []byte) []string {
	t.Helper()
	var ids []string
	lines := bufio.NewScanner(bytes.NewReader(data))
	for lines.Scan() {
		var e Entry
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			t.Fatalf("line %q: %v", lines.Text(), err)
		}
		ids = append(ids, e.Session)
	}
	return ids
}

// readLog returns the identifiers of a log's whole entries. The kernel shows a write
// that crosses a page in two steps: the last line of a log in use may lack its end.
func readLog(t *testing.T, path string) []string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return sessions(t, data[:bytes.LastIndexByte(data, '\n')+1])
}

func TestConcurrentWriters(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state", "sessions.jsonl")
	l, err := Open(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	const writers, each = 8, 200
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				l.Write(Entry{Session: fmt.Sprintf("%d-%d", w, i)})
			}
		})
	}
	wg.Wait()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, id := range readLog(t, path) {
		seen[id] = true
	}
	if len(seen) != writers*each || l.Lost() != 0 {
		t.Errorf("%d entries, %d lost, want %d", len(seen), l.Lost(), writers*each)
	}
	for name, want := range map[string]fs.FileMode{path: 0o600, filepath.Dir(path): 0o700} {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: mode %v, error %v, want %v", name, info.Mode(), err, want)
		}
	}
}

func TestReopenAfterRotation(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	l, err := Open(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	l.Write(Entry{Session: "before"})
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	if err := l.Reopen(); err != nil {
		t.Fatal(err)
	}
	l.Write(Entry{Session: "after"})
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if got := readLog(t, path+".1"); len(got) != 1 || got[0] != "before" {
		t.Errorf("old file holds %v", got)
	}
	if got := readLog(t, path); len(got) != 1 || got[0] != "after" {
		t.Errorf("new file holds %v", got)
	}
	if err := l.Reopen(); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("reopen after close: %v", err)
	}
}

func TestUnfinishedLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	if err := os.WriteFile(path, []byte(`{"session":"torn`), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := Open(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	l.Write(Entry{Session: "next", SNI: "<a&b>"})
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := bytes.Cut(data, []byte("\n"))
	if got := sessions(t, rest); len(got) != 1 || got[0] != "next" || !bytes.Contains(rest, []byte("<a&b>")) {
		t.Errorf("log is %q", data)
	}
}

func TestPathThatCannotBeOpened(t *testing.T) {
	if _, err := Open(t.TempDir(), nil); err == nil || !strings.HasPrefix(err.Error(), "open audit log: ") {
		t.Errorf("error is %v", err)
	}
}

// disk is a file with room for some octets.
type disk struct {
	bytes.Buffer
	room int
}

func (d *disk) Write(p []byte) (int, error) {
	n := min(len(p), d.room)
	d.room -= n
	d.Buffer.Write(p[:n])
	if n < len(p) {
		return n, syscall.ENOSPC
	}
	return n, nil
}

func (d *disk) Close() error { return nil }

// fullLog returns a log on d that is flushed by the test, and at once.
func fullLog(d *disk, messages io.Writer) *Log {
	return start("log", d, func(string) (io.WriteCloser, error) { return d, nil }, time.Hour, slog.New(slog.NewTextHandler(messages, nil)))
}

// flush has the writer try again.
func flush(l *Log) {
	done := make(chan struct{})
	l.asks <- func() { defer close(done); l.flush() }
	<-done
}

// Whatever the octet at which the disk is full, no line is torn or lost once
// there is room again.
func TestDiskFullForAWhile(t *testing.T) {
	for room := 0; room < 1500; room += 7 { // three entries
		var messages bytes.Buffer
		d := &disk{room: room}
		l := fullLog(d, &messages)
		for _, id := range []string{"a", "b", "c"} {
			l.Write(Entry{Session: id})
			flush(l)
		}
		roomy := make(chan struct{})
		l.asks <- func() { d.room = 1 << 20; close(roomy) }
		<-roomy
		l.Write(Entry{Session: "d"})
		flush(l)
		if got := strings.Join(sessions(t, d.Bytes()), ""); got != "abcd" {
			t.Fatalf("room for %d octets: log holds %q", room, got)
		}
		errs := strings.Count(messages.String(), "level=ERROR")
		if again := strings.Count(messages.String(), "written again"); errs > 1 || again != errs {
			t.Fatalf("room for %d octets: messages %q", room, messages.String())
		}
		if err := l.Close(); err != nil || l.Lost() != 0 {
			t.Fatalf("%d entries lost, error %v", l.Lost(), err)
		}
	}
}

// A cut line is written whole to the file that follows.
func TestReopenOnFullDisk(t *testing.T) {
	old, next := &disk{room: 10}, &disk{room: 1 << 20}
	l := start("log", old, func(string) (io.WriteCloser, error) { return next, nil }, time.Hour, slog.New(slog.DiscardHandler))
	l.Write(Entry{Session: "a"})
	flush(l)
	if err := l.Reopen(); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if got := sessions(t, next.Bytes()); len(got) != 1 || got[0] != "a" {
		t.Errorf("new file holds %q", next.String())
	}
}

func TestDiskFullForGood(t *testing.T) {
	l := fullLog(&disk{}, io.Discard)
	big := Entry{Session: "x", SNI: strings.Repeat("n", 1<<20)}
	for range 10 {
		l.Write(big)
	}
	flush(l)
	l.mu.Lock()
	if kept := len(l.pending) + l.taken; kept > maxPending {
		t.Errorf("%d octets kept", kept)
	}
	l.mu.Unlock()
	kept := uint64(maxPending >> 20)
	if lost := l.Lost(); lost < 10-kept || lost > 10-kept+1 {
		t.Errorf("%d of 10 entries lost", lost)
	}
	if err := l.Close(); err == nil || l.Lost() != 10 {
		t.Errorf("after close %d of 10 entries lost, error %v", l.Lost(), err)
	}
	if err := l.Close(); err != nil {
		t.Errorf("second close: %v", err)
	}
	l.Write(Entry{})
	if l.Lost() != 11 {
		t.Error("an entry after close is not counted")
	}
}

// stuck is a file whose writes wait until it is told otherwise.
type stuck struct {
	disk
	began, free chan struct{}
}

func (s *stuck) Write(p []byte) (int, error) {
	select {
	case s.began <- struct{}{}:
	default:
	}
	<-s.free
	return s.disk.Write(p)
}

// quick fails the test if f takes long.
func quick(t *testing.T, what string, f func()) {
	t.Helper()
	began := time.Now()
	f()
	if took := time.Since(began); took > patience {
		t.Errorf("%s took %v", what, took)
	}
}

// A file that hangs, whatever it is, holds up neither sessions nor metrics nor the
// end of the process.
func TestFileThatHangs(t *testing.T) {
	s := &stuck{disk{room: 1 << 30}, make(chan struct{}, 1), make(chan struct{})}
	var messages bytes.Buffer
	l := start("log", s, func(string) (io.WriteCloser, error) { return s, nil }, time.Hour, slog.New(slog.NewTextHandler(&messages, nil)))
	l.patience = patience / 10
	big := Entry{SNI: strings.Repeat("n", 1<<20)}
	l.Write(big)
	<-s.began
	quick(t, "20 entries", func() {
		for range 20 {
			l.Write(big)
		}
	})
	quick(t, "count of losses", func() {
		if lost := l.Lost(); lost != 21-maxPending>>20+1 {
			t.Errorf("%d of 21 entries lost", lost)
		}
	})
	if err := l.Reopen(); err == nil {
		t.Error("a file that hangs was left")
	}
	began := time.Now()
	if err := l.Close(); err == nil || time.Since(began) > 2*patience {
		t.Errorf("closed after %v, error %v", time.Since(began), err)
	}
	if l.Lost() != 21 {
		t.Errorf("%d of 21 entries lost", l.Lost())
	}
	if n := strings.Count(messages.String(), "entries are lost"); n != 1 {
		t.Errorf("log says %d times that entries are lost", n)
	}
	close(s.free)
	<-l.done
}

// A pipe that nobody reads is let go of for another file, and at the end.
func TestPipeThatNobodyReads(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := Open(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	l.patience = patience / 10
	const entries = 3
	quick(t, "entries", func() {
		for range entries {
			l.Write(Entry{SNI: strings.Repeat("n", 1<<20)})
		}
	})
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := l.Reopen(); err != nil {
		t.Fatal(err)
	}
	l.Write(Entry{Session: "last"})
	if err := l.Close(); err != nil || l.Lost() != 0 {
		t.Errorf("%d entries lost, error %v", l.Lost(), err)
	}
	if got := readLogOfLongLines(t, path); got != entries+1 {
		t.Errorf("file holds %d entries", got)
	}
}

func readLogOfLongLines(t *testing.T, path string) (entries int) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for d := json.NewDecoder(bytes.NewReader(data)); ; entries++ {
		var e Entry
		if err := d.Decode(&e); err == io.EOF {
			return entries
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

// An entry is in the file soon after its session has ended, with nothing behind it.
func TestEntryIsWrittenAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	l, err := Open(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for i := range 20 {
		l.Write(Entry{Session: fmt.Sprint(i)})
		for began := time.Now(); len(readLog(t, path)) != i+1; time.Sleep(100 * time.Microsecond) {
			if time.Since(began) > retryDelay/2 {
				t.Fatalf("entry %d is not in the file", i)
			}
		}
	}
}

func BenchmarkWrite(b *testing.B) {
	l, err := Open(filepath.Join(b.TempDir(), "log"), nil)
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	s := session()
	b.ReportAllocs()
	for b.Loop() {
		l.Write(NewEntry(s, map[string]Mirror{"files": {Frames: 9}}, nil))
	}
	b.ReportMetric(float64(l.Lost())/float64(b.N), "lost/op")
}
