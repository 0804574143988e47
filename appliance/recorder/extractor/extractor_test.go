package extractor

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/clearspan/clearspan/appliance/recorder/extract"
)

// told is what a handler was told, a line each.
type told []string

func (t *told) add(format string, a ...any) { *t = append(*t, fmt.Sprintf(format, a...)) }
func (t *told) Text(place string, text []byte) {
	t.add("text %s %d %x", place, len(text), sha256.Sum256(text))
}
func (t *told) Note(place string, n extract.Note, s string) { t.add("note %s %s %s", place, n, s) }
func (t *told) Label(place, label string)                   { t.add("label %s %s", place, label) }
func (t *told) Hashed(place string, sum [32]byte, n uint64) { t.add("file %s %d %x", place, n, sum) }
func (t *told) Member(place string) io.WriteCloser          { return &hashing{t: t, place: place} }

// hashing is a member that is read in this process.
type hashing struct {
	t     *told
	place string
	bytes.Buffer
}

func (h *hashing) Close() error {
	h.t.Hashed(h.place, sha256.Sum256(h.Bytes()), uint64(h.Len()))
	return nil
}

func start(t *testing.T) *Extractor {
	t.Helper()
	x, err := Start(Options{Command: []string{"/proc/self/exe", asExtractor}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { x.Close() })
	return x
}

// archive is a zip archive of a short text, a long one and a file without text.
func archive(t testing.TB) []byte {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, text := range map[string]string{
		"名簿.txt": "氏名 山田太郎\n", "long.txt": strings.Repeat("a line of a long text\n", 20_000), "zero.bin": strings.Repeat("\x00", 1000),
	} {
		w, err := z.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(w, text)
	}
	z.Close()
	return b.Bytes()
}

// bomb is an archive that takes a second or more to read.
func bomb(t *testing.T) []byte {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	w, err := z.Create("zero.bin")
	if err != nil {
		t.Fatal(err)
	}
	var inner bytes.Buffer
	in := zip.NewWriter(&inner)
	i, _ := in.Create("inner.bin")
	io.CopyN(i, zeroes{}, 60<<20)
	in.Close()
	w.Write(inner.Bytes())
	for n := range 40 {
		w, _ := z.Create(fmt.Sprint(n, ".zip"))
		w.Write(inner.Bytes())
	}
	z.Close()
	return b.Bytes()
}

type zeroes struct{}

func (zeroes) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func (x *Extractor) octets(ctx context.Context, p []byte, h Handler) error {
	return x.File(ctx, bytes.NewReader(p), int64(len(p)), extract.Hint{Name: "a.zip"}, h)
}

// TestSame: the process finds what the package finds, in files of both kinds.
func TestSame(t *testing.T) {
	t.Parallel()
	x := start(t)
	p := archive(t)
	var want told
	if err := extract.File(t.Context(), bytes.NewReader(p), int64(len(p)), extract.Hint{}, extract.Limits{}, &want); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "a.zip")
	if err := os.WriteFile(name, p, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for range 3 {
		var memory, file told
		if err := x.octets(t.Context(), p, &memory); err != nil {
			t.Fatal(err)
		}
		if err := x.File(t.Context(), f, int64(len(p)), extract.Hint{Passwords: slices.Repeat([]string{"password"}, 20_000)}, &file); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(memory, want) || !slices.Equal(file, want) || len(want) < 5 {
			t.Fatalf("want %q\nmemory %q\nfile %q", want, memory, file)
		}
	}
	if err := x.octets(t.Context(), p[:len(p)/2], new(told)); err == nil || errors.Is(err, ErrEnded) {
		t.Errorf("half an archive: %v", err)
	}
}

// pids returns the processes that another one has started.
func pids(t *testing.T, parent int) (list []int) {
	dirs, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", parent))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range dirs {
		text, _ := os.ReadFile(file)
		for word := range strings.FieldsSeq(string(text)) {
			n, _ := strconv.Atoi(word)
			list = append(list, n)
		}
	}
	return list
}

// until waits for a condition.
func until(t *testing.T, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !f(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("waited in vain: " + what)
		}
	}
}

// TestReaderEnds: a reader that is killed, or takes too long, costs the file, and the next one
// is read by another reader.
func TestReaderEnds(t *testing.T) {
	t.Parallel()
	x := start(t)
	p, long := archive(t), bomb(t)
	good := func(after string) {
		t.Helper()
		x.file = time.Minute
		var got told
		if err := x.octets(t.Context(), p, &got); err != nil || len(got) < 5 {
			t.Fatalf("after %s: %q, %v", after, got, err)
		}
	}
	good("the start")
	x.file = 50 * time.Millisecond
	if err := x.octets(t.Context(), long, new(told)); err != ErrDeadline {
		t.Errorf("a file without end: %v", err)
	}
	good("the deadline")
	before := pids(t, x.command.Process.Pid)
	if len(before) != 1 {
		t.Fatalf("%d readers", len(before))
	}
	done := make(chan error)
	go func() { done <- x.octets(t.Context(), long, new(told)) }()
	time.Sleep(50 * time.Millisecond) // it may not have begun: that is as good
	syscall.Kill(before[0], syscall.SIGKILL)
	if err := <-done; err != ErrEnded {
		t.Errorf("a reader that was killed: %v", err)
	}
	good("a kill")
	before = pids(t, x.command.Process.Pid)
	if len(before) != 1 {
		t.Fatalf("%d readers", len(before))
	}
	syscall.Kill(before[0], syscall.SIGKILL) // it has nothing to do: the next call is told
	until(t, "there is another reader", func() bool {
		now := pids(t, x.command.Process.Pid)
		return len(now) == 1 && now[0] != before[0]
	})
	if err := x.octets(t.Context(), p, new(told)); err != ErrEnded {
		t.Errorf("after a kill without a file: %v", err)
	}
	good("the end of an idle reader") // whatever the new one says of the file before
	ctx, stop := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer stop()
	if err := x.octets(ctx, long, new(told)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a call that ends: %v", err)
	}
	good("the end of a call")
}

// TestMemory: an archive of 94 octets that asks for memory (7z, LZMA2 with a dictionary of 2 and
// of 4 GiB) gets none, and the file after it is read.
func TestMemory(t *testing.T) {
	t.Parallel()
	x := start(t)
	for _, text := range []string{
		"377abcaf271c000429dbc1480e0000000000000030000000000000000a379154010009e7a4bee5a496e7a7980a000104060001090e00070b010001212101260c0a00080a019bba010f00000501110d0061002e0074007800740000000000",
		"377abcaf271c0004fb9da1f10e0000000000000030000000000000006114cafe010009e7a4bee5a496e7a7980a000104060001090e00070b010001212101280c0a00080a019bba010f00000501110d0061002e0074007800740000000000",
	} {
		p, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		var got told
		if err := x.octets(t.Context(), p, &got); err == nil && !slices.ContainsFunc(got, func(line string) bool { return strings.HasPrefix(line, "note") }) {
			t.Errorf("it was read: %q", got)
		}
		if err := x.octets(t.Context(), archive(t), new(told)); err != nil {
			t.Errorf("the file after it: %v", err)
		}
	}
}

// TestProcessesEnd: nothing is left of an extractor that is closed, or that is gone.
func TestProcessesEnd(t *testing.T) {
	t.Parallel()
	gone := func(pid int) func() bool {
		return func() bool {
			text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
			return err != nil || strings.Contains(string(text), ") Z ")
		}
	}
	for _, how := range []string{"closed", "killed"} {
		x := start(t)
		if err := x.octets(t.Context(), archive(t), new(told)); err != nil {
			t.Fatal(err)
		}
		readers := pids(t, x.command.Process.Pid)
		if len(readers) != 1 {
			t.Fatalf("%d readers", len(readers))
		}
		if how == "closed" {
			x.Close()
		} else {
			x.command.Process.Kill()
			until(t, "the warden is gone", gone(x.command.Process.Pid))
		}
		until(t, how+": the reader is gone", gone(readers[0]))
		if how == "killed" {
			if err := x.octets(t.Context(), archive(t), new(told)); err != ErrGone {
				t.Errorf("without a warden: %v", err)
			}
		}
	}
}

// TestConfined: the kernel says that the reader may do nothing.
func TestConfined(t *testing.T) {
	t.Parallel()
	x := start(t)
	if err := x.octets(t.Context(), archive(t), new(told)); err != nil {
		t.Fatal(err)
	}
	list := pids(t, x.command.Process.Pid)
	if len(list) != 1 {
		t.Fatalf("%d readers", len(list))
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", list[0]))
	if err != nil {
		t.Fatal(err)
	}
	status := string(text)
	for _, line := range []string{"NoNewPrivs:\t1", "Seccomp:\t2", "CapEff:\t0000000000000000", "CapPrm:\t0000000000000000"} {
		if !strings.Contains(status, line) {
			t.Errorf("no %q in\n%s", line, status)
		}
	}
	if os.Geteuid() == 0 && strings.Contains(status, "Uid:\t0\t") {
		t.Error("it is root")
	}
	if os.Geteuid() != 0 {
		return // its limits are not to be read
	}
	limits, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", list[0]))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"Max data size", "Max file size"} {
		for line := range strings.Lines(string(limits)) {
			if rest, is := strings.CutPrefix(line, name); is && strings.HasPrefix(strings.TrimSpace(rest), "unlimited") {
				t.Errorf("no bound: %s", line)
			}
		}
	}
}

// FuzzAnswer: what a reader says that was taken over has no effect but on its file.
func FuzzAnswer(f *testing.F) {
	f.Add(append(appendPlace([]byte{kindText}, "a"), "text"...))
	f.Add(append(appendPlace([]byte{kindPiece}, "a"), "text"...))
	f.Add([]byte(`m{"place":"a","hash":"AAAA","size":1}`))
	f.Add([]byte(`n{"place":"a","note":"damaged"}`))
	f.Add([]byte{kindDone})
	f.Fuzz(func(t *testing.T, p []byte) {
		if len(p) == 0 {
			return
		}
		a := &answer{h: new(told)}
		for range 2 {
			if done, err := a.take(p[0], p[1:]); err != nil && !done && !errors.Is(err, errMalformed) {
				t.Error(err)
			}
		}
	})
}

func BenchmarkFile(b *testing.B) {
	p := []byte("氏名 山田太郎\n")
	x, err := Start(Options{Command: []string{"/proc/self/exe", asExtractor}})
	if err != nil {
		b.Fatal(err)
	}
	defer x.Close()
	for b.Loop() {
		if err := x.octets(b.Context(), p, new(told)); err != nil {
			b.Fatal(err)
		}
	}
}
