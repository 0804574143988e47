package recorder

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/clearspan/clearspan/appliance/recorder/extract"
	"github.com/clearspan/clearspan/appliance/recorder/extractor"
	"github.com/clearspan/clearspan/appliance/recorder/inspect"
)

// seen is what is in a file.
func seen(t *testing.T, d *textReader, x *inspect.Inspector, file []byte) ([]Found, []Member) {
	t.Helper()
	e, err := d.examine(t.Context(), x, bytes.NewReader(file), int64(len(file)), extract.Hint{})
	if err != nil {
		t.Fatal(err)
	}
	return e.findings, e.members
}

// TestReaderKilled: the process that reads text is killed again and again. Each file is
// read all the same: nothing is found twice, and nothing is missing.
func TestReaderKilled(t *testing.T) {
	x, err := inspect.New(inspect.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for i := range 8 {
		w, _ := z.Create(fmt.Sprintf("list%d.csv", i))
		io.WriteString(w, strings.Repeat("山田 太郎,090-1234-5678,taro@example.co.jp\n", 1000))
	}
	z.Close()
	wantFindings, wantMembers := seen(t, nil, x, b.Bytes())
	if len(wantFindings) == 0 || len(wantMembers) != 8 {
		t.Fatalf("%d findings, %d members", len(wantFindings), len(wantMembers))
	}
	d := newTextReader(TestExtractor)
	defer d.Close()
	if _, err := d.open(); err != nil {
		t.Fatal(err)
	}
	for i := range 4 {
		var killing sync.WaitGroup
		killing.Go(func() {
			time.Sleep(time.Duration(i) * 5 * time.Millisecond) // at any moment
			for _, pid := range readersOf(t) {
				syscall.Kill(pid, syscall.SIGKILL)
			}
		})
		findings, members := seen(t, d, x, b.Bytes())
		killing.Wait()
		if !slices.Equal(findings, wantFindings) || !slices.Equal(members, wantMembers) {
			t.Errorf("%d: %v, want %v", i, findings, wantFindings)
		}
	}
	d.x.Close() // it is gone altogether
	if findings, _ := seen(t, d, x, b.Bytes()); !slices.Equal(findings, wantFindings) {
		t.Errorf("of a new one: %v, want %v", findings, wantFindings)
	}
}

// readersOf returns the readers of this test, which is the only one with a warden of its own.
func readersOf(t *testing.T) (list []int) {
	for _, warden := range children(t, os.Getpid()) {
		list = append(list, children(t, warden)...)
	}
	return list
}

func children(t *testing.T, pid int) (list []int) {
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil {
		t.Error(err)
	}
	for _, file := range files {
		text, _ := os.ReadFile(file)
		for word := range strings.FieldsSeq(string(text)) {
			n, _ := strconv.Atoi(word)
			list = append(list, n)
		}
	}
	return list
}

// TestUnreadIsTold: a file that takes too long has what was found up to then, and says why the
// rest is missing.
func TestUnreadIsTold(t *testing.T) {
	t.Parallel()
	x, err := inspect.New(inspect.Options{})
	if err != nil {
		t.Fatal(err)
	}
	d := newTextReader(TestExtractor)
	d.options.File = time.Nanosecond
	defer d.Close()
	file := []byte("社外秘\n")
	e, err := d.examine(t.Context(), x, bytes.NewReader(file), int64(len(file)), extract.Hint{})
	if err != extractor.ErrDeadline || e.unread != err || !e.limited {
		t.Errorf("%v, unread %v", err, e.unread)
	}
}
