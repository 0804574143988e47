package audit

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/clearspan/clearspan/appliance/trail"
	"github.com/clearspan/clearspan/hack/tempo"
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
	l, err := Open(Options{File: path}, nil)
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
	l, err := Open(Options{File: path}, nil)
	if err != nil {
		t.Fatal(err)
	}
	l.Write(Entry{Session: "before"})
	tempo.Until(t, "the entry is written", func() bool { return len(readLog(t, path)) == 1 })
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
	l, err := Open(Options{File: path}, nil)
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
	if _, err := Open(Options{File: t.TempDir()}, nil); err == nil || !strings.HasPrefix(err.Error(), "open audit log: ") {
		t.Errorf("error is %v", err)
	}
}

// An entry is in the file soon after its session has ended, with nothing behind it.
func TestEntryIsWrittenAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	l, err := Open(Options{File: path}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for i := range 20 {
		l.Write(Entry{Session: fmt.Sprint(i)})
		for began := time.Now(); len(readLog(t, path)) != i+1; time.Sleep(100 * time.Microsecond) {
			if time.Since(began) > 500*time.Millisecond {
				t.Fatalf("entry %d is not in the file", i)
			}
		}
	}
}

func BenchmarkWrite(b *testing.B) {
	l, err := Open(Options{File: filepath.Join(b.TempDir(), "log")}, nil)
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

// Two logs of one file, as of an old process that drains and a new one, lose no entry while
// the file ends again and again.
func TestTwoLogsRotate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log.jsonl")
	const each = 500
	var writing sync.WaitGroup
	for w := range 2 {
		l, err := Open(Options{File: path, Rotate: trail.Options{Size: 20_000}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		writing.Go(func() {
			for i := range each {
				l.Write(Entry{Session: fmt.Sprintf("%d-%d", w, i)})
			}
			if err := l.Close(); err != nil || l.Lost() != 0 {
				t.Errorf("%d lost, %v", l.Lost(), err)
			}
		})
	}
	writing.Wait()
	names, err := trail.Ended(path)
	if err != nil || len(names) < 2 {
		t.Errorf("%d files, %v", len(names), err)
	}
	seen := map[string]bool{}
	for _, name := range append(names, filepath.Base(path)) {
		for _, id := range readLog(t, filepath.Join(filepath.Dir(path), name)) {
			if seen[id] {
				t.Errorf("entry %s twice", id)
			}
			seen[id] = true
		}
	}
	if len(seen) != 2*each {
		t.Errorf("%d entries of %d", len(seen), 2*each)
	}
}
