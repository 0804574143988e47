package recorder_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/clearspan/clearspan/appliance/recorder"
	"github.com/clearspan/clearspan/appliance/recorder/retain"
	"github.com/clearspan/clearspan/appliance/recorder/trail"
)

// TestCase: what a case holds outlives all bounds: rows, packets and contents. When it is
// closed, the contents go. Who takes something of it away is told of.
func TestCase(t *testing.T) {
	t.Parallel()
	dir := recorded(t)
	held, err := recorder.OpenCase(t.Context(), dir, "", recorder.Case{Name: "leak", Query: "kind:mail", Reason: "a test", By: "me"})
	if err != nil || held.Events == 0 || held.Objects == 0 || held.Missing > 0 {
		t.Fatalf("%+v, %v", held, err)
	}
	own := recorder.CaseDirectory(dir, "leak")
	if _, err := recorder.OpenCase(t.Context(), dir, "", recorder.Case{Name: "leak", Query: "kind:mail", Reason: "again"}); err == nil {
		t.Error("a name is given twice")
	}
	c := recorder.Config{Directory: dir}
	for _, l := range []*time.Duration{&c.Retain.Packets.Age, &c.Retain.Received.Age, &c.Retain.Sent.Age, &c.Retain.Mail.Age, &c.Retain.Trail.Age} {
		*l = 24 * time.Hour
	}
	untilThen(t, c, func(s *recorder.Status) bool {
		days, _ := filepath.Glob(filepath.Join(dir, "trail", "2*.db"))
		return len(s.Kept) > 0 && len(days) == 0 && s.Volumes <= 1
	})
	if v := verified(t, dir); v.Cases != 1 || v.Days == 0 || v.Gone == 0 {
		t.Errorf("%+v", v)
	}
	a, err := recorder.OpenArchive(own, "")
	if err != nil {
		t.Fatal(err)
	}
	events, contents := 0, make(map[trail.Hash]bool)
	err = a.Each(t.Context(), trail.Question{}, func(x *trail.Full) error {
		events++
		for h, o := range x.Objects {
			if r, err := a.Content().Open(h); o.Stored > 0 && err != nil {
				t.Errorf("%s is gone: %v", h, err)
			} else if err == nil {
				contents[h] = true
				r.Close()
			}
		}
		return nil
	})
	if err != nil || events != held.Events || len(contents) == 0 {
		t.Errorf("%d events are held, want %d; %d contents: %v", events, held.Events, len(contents), err)
	}
	out := filepath.Join(t.TempDir(), "case.pcapng")
	e, err := recorder.Export(t.Context(), own, a, trail.Question{}, "pcapng", out)
	if err != nil || e.Frames < 10 {
		t.Errorf("%+v, %v", e, err)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	found := filepath.Join(t.TempDir(), "found")
	if _, err := recorder.Import(t.Context(), []string{out}, recorder.ImportOptions{Directory: found}); err != nil {
		t.Fatal(err)
	}
	if n := verified(t, found).Events; n < int64(events) {
		t.Errorf("the packets have %d events, want %d", n, events)
	}

	volumes, _ := filepath.Glob(filepath.Join(own, "packets", "*.pcapng"))
	if len(volumes) == 0 {
		t.Fatal("no packets are copied")
	}
	for name, want := range map[string]string{volumes[0]: "was changed", filepath.Join(own, "trail", "main.db"): ""} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		changed := append([]byte{}, text...)
		changed[len(changed)/2] ^= 1
		os.WriteFile(name, changed, 0o600)
		v, err := recorder.Verify(t.Context(), dir, "", nil, nil)
		if want != "" && (err != nil || !strings.Contains(strings.Join(v.Faults, "\n"), want)) {
			t.Errorf("%s is another: %+v, %v", name, v, err)
		}
		os.WriteFile(name, text, 0o600)
	}

	if n := mayGo(t, dir); n > 0 {
		t.Errorf("%d objects may go before the case is closed", n)
	}
	if err := recorder.CloseCase(t.Context(), dir, "leak", "it is done", "me"); err != nil {
		t.Fatal(err)
	}
	if n := mayGo(t, dir); n == 0 {
		t.Error("no object may go when the case is closed")
	}
	if v := verified(t, dir); v.Cases != 1 {
		t.Errorf("%+v", v)
	}
	if err := os.RemoveAll(own); err != nil {
		t.Fatal(err)
	}
	if v, err := recorder.Verify(t.Context(), dir, "", nil, nil); err != nil || len(v.Faults) != 1 || !strings.Contains(v.Faults[0], "case leak: its directory is missing") {
		t.Errorf("%+v, %v", v, err)
	}
}

// mayGo returns how many objects of mail are not pinned.
func mayGo(t *testing.T, dir string) int {
	t.Helper()
	x, err := retain.Open(filepath.Join(dir, "retain.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	list, err := x.Oldest(t.Context(), &retain.Policy{}, retain.Mail, 1<<40)
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

// TestChainOfCases: many processes write it, and who changes or shortens it is told of.
func TestChainOfCases(t *testing.T) {
	t.Parallel()
	dir, capture := t.TempDir(), writeCapture(t)
	read := func() {
		if _, err := recorder.Import(t.Context(), []string{capture}, recorder.ImportOptions{Directory: dir}); err != nil {
			t.Fatal(err)
		}
	}
	read()
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			c := recorder.Case{Name: fmt.Sprintf("c%d", i), Query: "kind:mail", Reason: "why \xff", By: "me"}
			if _, err := recorder.OpenCase(t.Context(), dir, "", c); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	list, err := recorder.Cases(dir)
	if err != nil || len(list) != 4 {
		t.Fatalf("%+v, %v", list, err)
	}
	read() // seals how far it has come
	verified(t, dir)
	name := filepath.Join(dir, "seal", "cases.jsonl")
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(string(text), "\n")
	for what, changed := range map[string]string{
		"a line is gone": strings.Join(lines[2:], ""), "the end is cut off": strings.Join(lines[:4], ""), "it is empty": "",
		"a reason is changed": strings.Replace(string(text), `"why`, `"wha`, 1), "the end is torn": string(text[:len(text)-5]),
	} {
		if err := os.WriteFile(name, []byte(changed), 0o600); err != nil {
			t.Fatal(err)
		}
		if v, err := recorder.Verify(t.Context(), dir, "", nil, nil); err != nil || len(v.Faults) == 0 {
			t.Errorf("%s: %+v, %v", what, v, err)
		}
	}
	os.Remove(name)
	if v, err := recorder.Verify(t.Context(), dir, "", nil, nil); err != nil || len(v.Faults) == 0 {
		t.Errorf("it is gone: %+v, %v", v, err)
	}
}

// writeCapture writes a capture into a file.
func writeCapture(t *testing.T) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "all.pcap")
	if err := os.WriteFile(name, wholeCapture(t), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}
