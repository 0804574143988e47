package spool

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
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

// told notes the events of a spool.
type told struct {
	mu                      sync.Mutex
	full, failed, recovered int
}

func (n *told) events() Events {
	note := func(count *int) {
		n.mu.Lock()
		defer n.mu.Unlock()
		*count++
	}
	return Events{
		Full:      func() { note(&n.full) },
		Failed:    func(error) { note(&n.failed) },
		Recovered: func(uint64) { note(&n.recovered) },
	}
}

// on returns a spool on a file, which the test has flushed.
func on(out io.WriteCloser, n *told) *Spool {
	return start("file", out, func(string) (io.WriteCloser, error) { return out, nil }, time.Hour, n.events())
}

// flush has the writer try again.
func flush(s *Spool) {
	done := make(chan struct{})
	s.asks <- func() { defer close(done); s.flush() }
	<-done
}

// line returns a line of n octets that begins with a name.
func line(name string, n int) []byte {
	return fmt.Appendf(nil, "%s%s\n", name, strings.Repeat(".", n-len(name)-1))
}

// names returns the first octets of the lines in data, and fails for a line that is cut.
func names(t *testing.T, data []byte, length int) string {
	t.Helper()
	var all []byte
	for l := range bytes.Lines(data) {
		if len(l) != length || !bytes.HasSuffix(l, []byte(".\n")) {
			t.Fatalf("line of %d octets: %q", len(l), l)
		}
		all = append(all, l[0])
	}
	return string(all)
}

func TestConcurrentWriters(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	s, err := Open(path, Events{})
	if err != nil {
		t.Fatal(err)
	}
	const writers, each = 8, 200
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				s.Write(fmt.Appendf(nil, "%d-%d\n", w, i))
			}
		})
	}
	wg.Wait()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for l := range strings.Lines(string(data)) {
		seen[l] = true
	}
	if len(seen) != writers*each || s.Lost() != 0 {
		t.Errorf("%d lines, %d lost, want %d", len(seen), s.Lost(), writers*each)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, error %v", info.Mode(), err)
	}
	if err := s.Reopen(); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("reopen after close: %v", err)
	}
}

// Whatever the octet at which the disk is full, no line is torn or lost once
// there is room again.
func TestDiskFullForAWhile(t *testing.T) {
	const length = 60
	for room := range 3*length + 1 {
		var n told
		d := &disk{room: room}
		s := on(d, &n)
		for _, name := range []string{"a", "b", "c"} {
			s.Write(line(name, length))
			flush(s)
		}
		roomy := make(chan struct{})
		s.asks <- func() { d.room = 1 << 20; close(roomy) }
		<-roomy
		s.Write(line("d", length))
		flush(s)
		if got := names(t, d.Bytes(), length); got != "abcd" {
			t.Fatalf("room for %d octets: file holds %q", room, got)
		}
		if n.failed > 1 || n.recovered != n.failed || n.full != 0 {
			t.Fatalf("room for %d octets: told %+v", room, &n)
		}
		if err := s.Close(); err != nil || s.Lost() != 0 {
			t.Fatalf("%d lines lost, error %v", s.Lost(), err)
		}
	}
}

// A cut line is written whole to the file that follows.
func TestReopenOnFullDisk(t *testing.T) {
	old, next := &disk{room: 10}, &disk{room: 1 << 20}
	s := start("file", old, func(string) (io.WriteCloser, error) { return next, nil }, time.Hour, Events{})
	s.Write(line("a", 60))
	flush(s)
	if err := s.Reopen(); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if got := names(t, next.Bytes(), 60); got != "a" {
		t.Errorf("the next file holds %q", next.String())
	}
}

func TestDiskFullForGood(t *testing.T) {
	var n told
	s := on(&disk{}, &n)
	for range 10 {
		s.Write(line("x", 1<<20))
	}
	flush(s)
	s.mu.Lock()
	if kept := len(s.pending) + s.taken; kept > Limit {
		t.Errorf("%d octets kept", kept)
	}
	s.mu.Unlock()
	if lost := s.Lost(); lost != 10-Limit>>20 || n.full != 1 {
		t.Errorf("%d of 10 lines lost, told %+v", lost, &n)
	}
	if err := s.Close(); err == nil || s.Lost() != 10 {
		t.Errorf("after close %d of 10 lines lost, error %v", s.Lost(), err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("second close: %v", err)
	}
	s.Write([]byte("late\n"))
	if s.Lost() != 11 {
		t.Error("a line after close is not counted")
	}
}

// stuck is a file whose writes wait until it is told otherwise.
type stuck struct {
	disk
	began, free chan struct{}
}

func (f *stuck) Write(p []byte) (int, error) {
	select {
	case f.began <- struct{}{}:
	default:
	}
	<-f.free
	return f.disk.Write(p)
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

// A file that hangs, whatever it is, holds up neither callers nor the count of losses
// nor the end of the process.
func TestFileThatHangs(t *testing.T) {
	f := &stuck{disk{room: 1 << 30}, make(chan struct{}, 1), make(chan struct{})}
	var n told
	s := on(f, &n)
	s.patience = patience / 10
	big := line("n", 1<<20)
	s.Write(big)
	<-f.began
	quick(t, "20 lines", func() {
		for range 20 {
			s.Write(big)
		}
	})
	quick(t, "count of losses", func() {
		if lost := s.Lost(); lost != 21-Limit>>20 {
			t.Errorf("%d of 21 lines lost", lost)
		}
	})
	if err := s.Reopen(); err == nil {
		t.Error("a file that hangs was left")
	}
	began := time.Now()
	if err := s.Close(); err == nil || time.Since(began) > 2*patience {
		t.Errorf("closed after %v, error %v", time.Since(began), err)
	}
	if s.Lost() != 21 {
		t.Errorf("%d of 21 lines lost", s.Lost())
	}
	if n.full != 1 {
		t.Errorf("told %d times that lines are lost", n.full)
	}
	close(f.free)
	<-s.done
}

// A pipe that nobody reads is let go of for another file, and at the end.
func TestPipeThatNobodyReads(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := Open(path, Events{})
	if err != nil {
		t.Fatal(err)
	}
	s.patience = patience / 10
	quick(t, "lines", func() {
		for _, name := range []string{"a", "b", "c"} {
			s.Write(line(name, 1<<20))
		}
	})
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := s.Reopen(); err != nil {
		t.Fatal(err)
	}
	s.Write(line("d", 1<<20))
	if err := s.Close(); err != nil || s.Lost() != 0 {
		t.Errorf("%d lines lost, error %v", s.Lost(), err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := names(t, data, 1<<20); got != "abcd" {
		t.Errorf("file holds %q", got)
	}
}

// A spool of somebody's file leaves it open.
func TestTo(t *testing.T) {
	f, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	s := To(f, Events{})
	s.Write([]byte("line\n"))
	if err := errors.Join(s.Reopen(), s.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("after\n"); err != nil {
		t.Error(err)
	}
	if data, err := os.ReadFile(f.Name()); err != nil || string(data) != "line\nafter\n" {
		t.Errorf("file holds %q, %v", data, err)
	}
}
