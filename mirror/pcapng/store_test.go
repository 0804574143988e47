package pcapng

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/clearspan/clearspan/hack/tempo"
	"github.com/clearspan/clearspan/mirror"
)

func TestPartialUntilComplete(t *testing.T) {
	dir := t.TempDir()
	s := openSink(t, Config{Directory: dir, Prefix: "box"})
	time.Sleep(30 * time.Millisecond)
	if names := list(t, dir, ""); len(names) != 0 {
		t.Fatalf("files before the first frame: %v", names)
	}
	send(t, s, frames(t, 1))
	var name string
	tempo.Until(t, "the frame is on the disk", func() bool {
		names := list(t, dir, ".pcapng.partial")
		if len(names) != 1 {
			return false
		}
		name = names[0]
		info, err := os.Stat(filepath.Join(dir, name))
		return err == nil && info.Size() > 1514
	})
	if ok, _ := regexp.MatchString(`^box-\d{8}T\d{6}\.\d{3}Z-0001\.pcapng\.partial$`, name); !ok {
		t.Errorf("file is named %s", name)
	}
	send(t, s, frames(t, 1))
	s.Close()
	if diff := cmp.Diff([]string{strings.TrimSuffix(name, partial)}, list(t, dir, "")); diff != "" {
		t.Errorf("files after Close (-want +got):\n%s", diff)
	}
	if n := len(readAll(t, dir)); n != 2 {
		t.Errorf("%d packets, want 2", n)
	}
}

func TestCloseWithoutFrames(t *testing.T) {
	dir := t.TempDir()
	openSink(t, Config{Directory: dir}).Close()
	if names := list(t, dir, ""); len(names) != 0 {
		t.Errorf("files: %v", names)
	}
}

func TestRotateBySize(t *testing.T) {
	const size, offered = 300_000, 1500 // about 2.3 MB
	for _, tt := range []struct {
		name string
		keep int
	}{{"keep all", 0}, {"keep three", 3}} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			other := filepath.Join(dir, "other-20200101T000000.000Z-0001.pcapng")
			if err := os.WriteFile(other, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			s := openSink(t, Config{Directory: dir, RotateSize: size, Keep: tt.keep})
			all := frames(t, offered)
			for batch := range slices.Chunk(all, 50) {
				send(t, s, batch)
			}
			s.Close()
			if _, err := os.Stat(other); err != nil {
				t.Errorf("file of another prefix: %v", err)
			}
			os.Remove(other)
			names := list(t, dir, suffix)
			for _, name := range names {
				info, err := os.Stat(filepath.Join(dir, name))
				if err != nil || info.Size() > size {
					t.Errorf("%s has %d octets, %v; want at most %d", name, info.Size(), err, size)
				}
			}
			packets := readAll(t, dir)
			if tt.keep == 0 && (len(names) < 8 || len(packets) != offered) {
				t.Errorf("%d files with %d packets, want 8 or more with %d", len(names), len(packets), offered)
			}
			if tt.keep > 0 && len(names) != tt.keep {
				t.Errorf("%d files, want %d", len(names), tt.keep)
			}
			for i, p := range packets { // the newest ones stay, in order
				if !bytes.Equal(octets(all[offered-len(packets)+i]), p.Octets) {
					t.Fatalf("packet %d of %d is not the one sent", i, len(packets))
				}
			}
		})
	}
}

func TestRotateByTime(t *testing.T) {
	dir := t.TempDir()
	s := openSink(t, Config{Directory: dir, RotateEvery: 50 * time.Millisecond})
	for want := 1; want <= 3; want++ {
		send(t, s, frames(t, want))
		// Complete without a further frame, and no empty one is begun.
		tempo.Until(t, "a complete file", func() bool { return len(list(t, dir, suffix)) == want })
		time.Sleep(60 * time.Millisecond)
		if names := list(t, dir, ""); len(names) != want {
			t.Fatalf("files: %v, want %d", names, want)
		}
	}
	for i, name := range list(t, dir, suffix) {
		if n := len(read(t, filepath.Join(dir, name))); n != i+1 {
			t.Errorf("%s holds %d packets, want %d", name, n, i+1)
		}
	}
}

// TestLeftover opens a sink where a crashed run left a partial file.
func TestLeftover(t *testing.T) {
	head, err := fileHead("crashed")
	if err != nil {
		t.Fatal(err)
	}
	block := func(n int) []byte {
		f := mirror.Frame{Header: make([]byte, n)}
		return appendPacket(nil, &f, 1, "a note")
	}
	two := slices.Concat(head, block(60), block(61))
	const name = "clearspan-20260102T030405.678Z-0007.pcapng"
	for _, tt := range []struct {
		name    string
		content []byte
		path    string   // default name + ".partial"
		taken   bool     // the final name exists already
		want    []string // names afterwards
		size    int      // of the first
	}{
		{name: "complete blocks", content: two, want: []string{name}, size: len(two)},
		{name: "torn in the block's fixed part", content: append(slices.Clone(two), block(62)[:20]...), want: []string{name}, size: len(two)},
		{name: "torn in the data", content: append(slices.Clone(two), block(62)[:50]...), want: []string{name}, size: len(two)},
		{name: "torn before the last octet", content: append(slices.Clone(two), block(62)[:len(block(62))-1]...), want: []string{name}, size: len(two)},
		{name: "zeros at the end", content: append(slices.Clone(two), make([]byte, 5000)...), want: []string{name}, size: len(two)},
		{name: "empty", content: nil},
		{name: "head only", content: head},
		{name: "torn first packet", content: append(slices.Clone(head), block(60)[:50]...)},
		{name: "not pcapng", content: []byte("something that somebody wrote"), want: []string{name + partial}, size: 29},
		{name: "final name taken", content: two, taken: true, want: []string{name, name + partial}, size: 5},
		{name: "another prefix", content: two, path: "other-20260102T030405.678Z-0007.pcapng.partial",
			want: []string{"other-20260102T030405.678Z-0007.pcapng.partial"}, size: len(two)},
		{name: "a longer prefix", content: two, path: "clearspan-b-20260102T030405.678Z-0007.pcapng.partial",
			want: []string{"clearspan-b-20260102T030405.678Z-0007.pcapng.partial"}, size: len(two)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			if tt.path == "" {
				tt.path = name + partial
			}
			write := func(name string, content []byte) {
				t.Helper()
				if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			write(tt.path, tt.content)
			if tt.taken {
				write(name, []byte("taken"))
			}
			openSink(t, Config{Directory: dir}).Close()
			if diff := cmp.Diff(tt.want, list(t, dir, "")); diff != "" {
				t.Fatalf("files (-want +got):\n%s", diff)
			}
			if len(tt.want) == 0 {
				return
			}
			got, err := os.ReadFile(filepath.Join(dir, tt.want[0]))
			if err != nil || len(got) != tt.size {
				t.Errorf("%s has %d octets, %v; want %d", tt.want[0], len(got), err, tt.size)
			}
			if tt.want[0] == name && !tt.taken {
				if n := len(readAll(t, dir)); n != 2 {
					t.Errorf("%d packets, want 2", n)
				}
			}
		})
	}
}

// TestLeftoverInUse: what a live sink writes is no leftover to a second one in
// the same directory.
func TestLeftoverInUse(t *testing.T) {
	dir := t.TempDir()
	first := openSink(t, Config{Directory: dir})
	send(t, first, frames(t, 1))
	tempo.Until(t, "a partial file", func() bool { return len(list(t, dir, partial)) == 1 })
	second := openSink(t, Config{Directory: dir})
	if names := list(t, dir, suffix); len(names) != 0 {
		t.Fatalf("the second sink completed %v", names)
	}
	send(t, first, frames(t, 2))
	send(t, second, frames(t, 3))
	first.Close()
	second.Close()
	if names, n := list(t, dir, ""), len(readAll(t, dir)); len(names) != 2 || n != 6 {
		t.Errorf("%v hold %d packets, want two files with 6", names, n)
	}
}

// TestSameNames: sinks that create files in the same millisecond under the same
// prefix take different names, and never an existing one.
func TestSameNames(t *testing.T) {
	dir := t.TempDir()
	cfg, err := Config{Directory: dir}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 11, 22, 15, 16, 37, 123e6, time.UTC)
	const complete = "clearspan-20261122T151637.123Z-0001.pcapng"
	if err := os.WriteFile(filepath.Join(dir, complete), []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	f := frame(t, 1, nil, "")
	var stores []*store
	for range 3 {
		st, err := newStore(&cfg)
		if err != nil {
			t.Fatal(err)
		}
		if err := st.write(&buffer{blocks: appendPacket(nil, &f, 1, "")}, now, false); err != nil {
			t.Fatal(err)
		}
		stores = append(stores, st)
	}
	for _, st := range stores {
		st.finish()
	}
	want := []string{
		complete,
		"clearspan-20261122T151637.123Z-0002.pcapng",
		"clearspan-20261122T151637.123Z-0003.pcapng",
		"clearspan-20261122T151637.123Z-0004.pcapng",
	}
	if diff := cmp.Diff(want, list(t, dir, "")); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	if old, err := os.ReadFile(filepath.Join(dir, complete)); err != nil || string(old) != "old" {
		t.Errorf("existing file holds %q, %v", old, err)
	}
}
