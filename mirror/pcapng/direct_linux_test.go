package pcapng

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/clearspan/clearspan/hack/needs"
	"github.com/clearspan/clearspan/mirror"
)

// TestFiller puts a filler behind every possible end.
func TestFiller(t *testing.T) {
	head, err := fileHead("x")
	if err != nil {
		t.Fatal(err)
	}
	f := frame(t, 1, []byte("text"), "")
	packet := appendPacket(nil, &f, 1, "")
	for end := int64(0); end <= 2*sector; end += 4 {
		filler := appendFiller(nil, end)
		n := len(filler)
		if n != fillerSize(end) || (end+int64(n))%sector != 0 || n > maxFiller || n > 0 && n < namesFixed {
			t.Fatalf("filler of %d octets behind %d", n, end)
		}
		file := bytes.Join([][]byte{head, packet, filler, packet}, nil)
		if all, packets, err := scan(bytes.NewReader(file)); all != int64(len(file)) || packets != 2 || err != nil {
			t.Fatalf("scan with filler of %d octets = %d of %d, %d, %v", n, all, len(file), packets, err)
		}
		if got := decode(t, "filled", bytes.NewReader(file)); len(got) != 2 {
			t.Fatalf("filler of %d octets: %d packets read", n, len(got))
		}
	}
}

// needDirect skips the test where the file system takes no direct writes.
func needDirect(t *testing.T, dir string) {
	t.Helper()
	file, err := os.Create(filepath.Join(dir, "probe"))
	if err != nil {
		t.Fatal(err)
	}
	defer os.Remove(file.Name())
	defer file.Close()
	if err := setDirect(file, true); err != nil {
		needs.Missing(t, err)
	}
}

// TestDirect mixes writes that pass by the page cache with others, and wants
// ordinary files that readers agree about.
func TestDirect(t *testing.T) {
	var all []mirror.Frame
	for _, size := range []int64{0, directFile} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			dir := t.TempDir()
			needDirect(t, dir)
			cfg, err := Config{Directory: dir, RotateSize: size}.withDefaults()
			if err != nil {
				t.Fatal(err)
			}
			st, err := newStore(&cfg)
			if err != nil {
				t.Fatal(err)
			}
			blocks, free := allocate(bufferSize)
			defer free()
			sent := uint32(0)
			for i, w := range []struct {
				frames int // the more, the larger
				name   string
				cached bool
				direct bool // is expected
			}{
				{1, "", false, false},
				{1000, "", false, true},
				{700, "www.example.test", false, true},
				{3, "mail.example.test", false, false},
				{1000, "www.example.test", false, true},
				{2600, "", false, true},
				{2600, "", true, false},
				{2600, "", false, true},
				{2600, "ftp.example.test", false, true},
				{2600, "", false, true},
			} {
				b := &buffer{blocks: blocks[:0], frames: uint64(w.frames)}
				for range w.frames {
					if int(sent) == len(all) {
						all = append(all, frame(t, sent, bytes.Repeat([]byte{byte(sent)}, 1460), ""))
					}
					b.blocks = appendPacket(b.blocks, &all[sent], int64(sent)+1, "")
					sent++
				}
				if w.name != "" {
					b.names, b.named = []nameRecord{{v4, w.name}}, namesFixed+recordSize(v4, w.name)
				}
				if err := st.write(b, time.Now(), w.cached); err != nil {
					t.Fatal(err)
				}
				if st.bypassing != w.direct {
					t.Errorf("write %d of %d octets: direct %t, want %t", i, len(b.blocks), st.bypassing, w.direct)
				}
				if info, err := st.file.Stat(); err != nil || info.Size() != st.offset || w.direct && st.offset%sector != 0 {
					t.Errorf("write %d ends at %d, size %d, %v", i, st.offset, info.Size(), err)
				}
			}
			st.finish()
			packets := readAll(t, dir)
			if len(packets) != int(sent) {
				t.Fatalf("%d packets in files, want %d", len(packets), sent)
			}
			for i, p := range packets {
				if !bytes.Equal(p.Octets, octets(all[i])) {
					t.Fatalf("packet %d differs", i)
				}
			}
			names := list(t, dir, suffix)
			if (len(names) > 1) != (size > 0) {
				t.Errorf("files %q", names)
			}
			count := 0
			for _, name := range names {
				path := filepath.Join(dir, name)
				if info, err := os.Stat(path); err != nil || size > 0 && info.Size() > size {
					t.Errorf("%s has %d octets, %v", name, info.Size(), err)
				}
				count += tsharkCount(t, path)
			}
			if count != int(sent) {
				t.Errorf("tshark reads %d packets, want %d", count, sent)
			}
		})
	}
}

// tsharkCount returns how many packets tshark reads. It must not complain.
func tsharkCount(t *testing.T, path string) int {
	t.Helper()
	cmd := exec.Command(tshark(t), "-r", path, "-T", "fields", "-e", "frame.number")
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.Output()
	if text := strings.ReplaceAll(said.String(), "Running as user \"root\" and group \"root\". This could be dangerous.\n", ""); err != nil || text != "" {
		t.Errorf("tshark: %v %s", err, text)
	}
	return bytes.Count(out, []byte("\n"))
}

// TestNoDirectWrites has a file system that takes none.
func TestNoDirectWrites(t *testing.T) {
	dir := mount(t, "ramfs", "")
	lines := new(logLines)
	s := openSink(t, Config{Directory: dir, Logger: lines.logger()})
	batch := frames(t, 100)
	for range 120 {
		send(t, s, batch)
	}
	s.Close()
	if n := len(readAll(t, dir)); n != 12_000 {
		t.Errorf("%d packets in files", n)
	}
	if n := lines.count("capture files are written through the page cache"); n != 1 {
		t.Errorf("said %d times", n)
	}
}

// TestRefusedWrite has a disk that wants another alignment than it is given.
func TestRefusedWrite(t *testing.T) {
	dir := t.TempDir()
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		t.Fatal(err)
	}
	if fs.Type == unix.TMPFS_MAGIC { // which takes direct writes wherever they begin
		var err error
		if dir, err = os.MkdirTemp(".", "refused-"); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.RemoveAll(dir) })
	}
	needDirect(t, dir)
	cfg, err := Config{Directory: dir}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	st, err := newStore(&cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer st.close()
	if err := st.create(time.Now()); err != nil {
		t.Fatal(err)
	}
	octets, free := allocate(sector)
	defer free()
	if err := st.put(octets, true); err != nil || st.direct || st.bypassing { // behind the head: at no sector
		t.Errorf("%v, direct %t, %t", err, st.direct, st.bypassing)
	}
	if info, err := st.file.Stat(); err != nil || info.Size() != int64(len(st.head)+sector) {
		t.Errorf("%d octets in the file, %v", info.Size(), err)
	}
}

// TestBehind has a disk that does not keep up: the page cache takes what comes.
func TestBehind(t *testing.T) {
	dir := t.TempDir()
	cfg, err := Config{Directory: dir, Buffer: 4 * bufferSize}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	lines := new(logLines)
	cfg.Logger = lines.logger()
	st, err := newStore(&cfg)
	if err != nil {
		t.Fatal(err)
	}
	slow := &slowDisk{storage: st}
	s := start(cfg, slow, time.Hour, time.Hour)
	batch := frames(t, 100)
	for range 600 { // 93 MB
		send(t, s, batch)
	}
	s.Close()
	if direct := slow.direct.Load(); direct < slowWrites || direct > slowWrites+2 {
		t.Errorf("%d writes to the slow disk", direct)
	}
	if n := lines.count("disk is slower than the frames"); n != 1 {
		t.Errorf("said %d times", n)
	}
	if n := len(readAll(t, dir)); n != 60_000 {
		t.Errorf("%d packets in files", n)
	}
}

// slowDisk is a storage that takes its time for what passes by the page cache.
type slowDisk struct {
	storage
	direct atomic.Int32 // writes
}

func (d *slowDisk) write(b *buffer, now time.Time, cached bool) error {
	if !cached {
		d.direct.Add(1)
		time.Sleep(2 * slowWrite)
	}
	return d.storage.write(b, now, cached)
}

func TestPace(t *testing.T) {
	type write struct {
		took time.Duration
		many bool // buffers wait
	}
	many := func(n int, took time.Duration, waiting bool) []write {
		return slices.Repeat([]write{{took, waiting}}, n)
	}
	now := time.Now()
	for _, tt := range []struct {
		name   string
		writes []write
		behind bool
	}{
		{"slow, nobody waits", many(2*slowWrites, time.Second, false), false},
		{"slow, in the end many wait", append(many(slowWrites, slowWrite, false), write{slowWrite, true}), true},
		{"slow, many wait", many(slowWrites, slowWrite, true), true},
		{"slow, too few", many(slowWrites-1, time.Second, true), false},
		{"one fast", append(many(slowWrites-1, time.Second, true), append(many(1, slowWrite/2, true), many(slowWrites-1, time.Second, true)...)...), false},
		{"fast, many wait", many(2*slowWrites, slowWrite/2, true), false},
	} {
		var p pace
		told := 0
		for range 2 { // again, once the page cache has had its time
			for _, w := range tt.writes {
				if p.behind(now, w.took, w.many) {
					told++
				}
			}
			if now.Before(p.cached) != tt.behind {
				t.Errorf("%s: cached %t", tt.name, !tt.behind)
			}
			if p.cached = (time.Time{}); !tt.behind {
				break
			}
		}
		if told > 1 || (told == 1) != tt.behind {
			t.Errorf("%s: told %d times", tt.name, told)
		}
	}
}
