package pcapng

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/clearspan/clearspan/hack/tempo"
	"github.com/clearspan/clearspan/mirror"
)

// mount mounts a file system, or skips the test where that is not allowed, unless
// CI is set.
func mount(t *testing.T, kind, options string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := unix.Mount("clearspan-test", dir, kind, unix.MS_NOSUID|unix.MS_NODEV, options); err != nil {
		if os.Getenv("CI") == "" && errors.Is(err, unix.EPERM) {
			t.Skipf("needs CAP_SYS_ADMIN to mount a %s", kind)
		}
		t.Fatalf("mount %s: %v", kind, err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Errorf("unmount %s: %v", kind, err)
		}
	})
	return dir
}

// TestDiskFull fills a disk, frees it, and wants every frame that Send took in
// a file, none torn.
func TestDiskFull(t *testing.T) {
	for _, tt := range []struct {
		name string
		full mirror.Overflow
	}{{"block", mirror.Block}, {"drop", mirror.Drop}} {
		t.Run(tt.name, func(t *testing.T) {
			dir := mount(t, "tmpfs", "size=3m")
			ballast := filepath.Join(dir, "ballast")
			if err := os.WriteFile(ballast, make([]byte, 1500<<10), 0o600); err != nil {
				t.Fatal(err)
			}
			lines := new(logLines)
			s := openSink(t, Config{Directory: dir, Full: tt.full, Buffer: 2 * bufferSize, Logger: lines.logger()})
			all := frames(t, 1700) // 2.6 MB
			delivered, lost := 0, 0
			var failed error
			for batch := range slices.Chunk(all, 10) {
				n, err := s.Send(batch)
				delivered += n
				lost += len(batch) - n
				if err != nil {
					failed = err
				}
				time.Sleep(200 * time.Microsecond) // let the disk keep up
			}
			if !errors.Is(failed, mirror.ErrStorage) {
				t.Fatalf("last error on a full disk: %v, want %v", failed, mirror.ErrStorage)
			}
			if st := s.Stats(); !st.Failed || st.Lost["storage"] != uint64(lost) {
				t.Errorf("Stats = %+v, want failed, %d lost", st, lost)
			}
			readAll(t, dir) // complete files are whole while the disk is full

			if err := os.Remove(ballast); err != nil {
				t.Fatal(err)
			}
			tempo.Until(t, "storage works again", func() bool { return !s.Stats().Failed })
			send(t, s, all[:5])
			delivered += 5
			s.Close()
			if n := len(readAll(t, dir)); n != delivered {
				t.Errorf("%d packets in files, want %d", n, delivered)
			}
			if names := list(t, dir, partial); len(names) != 0 {
				t.Errorf("left over: %v", names)
			}
			st := s.Stats()
			if st.Frames != uint64(delivered) || st.Frames+st.Lost["storage"] != uint64(len(all)+5) {
				t.Errorf("Stats = %+v, want %d frames, a sum of %d", st, delivered, len(all)+5)
			}
			if a, b := lines.count("capture storage failed"), lines.count("capture storage works again"); a != 1 || b != 1 {
				t.Errorf("failure logged %d times, recovery %d times; want 1 and 1", a, b)
			}
		})
	}
}

// TestCloseOnFullDisk: frames that were taken and cannot be written move to
// the lost ones.
func TestCloseOnFullDisk(t *testing.T) {
	dir := mount(t, "tmpfs", "size=100k")
	s := openSink(t, Config{Directory: dir})
	send(t, s, frames(t, 10))
	tempo.Until(t, "10 frames on the disk", func() bool {
		names := list(t, dir, partial)
		if len(names) == 0 {
			return false
		}
		info, err := os.Stat(filepath.Join(dir, names[0]))
		return err == nil && info.Size() > 15140
	})
	send(t, s, frames(t, 200))
	s.Close()
	if n := len(readAll(t, dir)); n != 10 {
		t.Errorf("%d packets in files, want 10", n)
	}
	if st := s.Stats(); st.Frames != 10 || st.Octets != 15140 || st.Lost["storage"] != 200 {
		t.Errorf("Stats = %+v, want 10 frames, 200 lost", st)
	}
}

// TestDirectoryGone: a directory that vanishes is a storage failure, and one
// that comes back its end.
func TestDirectoryGone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "captures")
	s := openSink(t, Config{Directory: dir})
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	send(t, s, frames(t, 1))
	tempo.Until(t, "failure", func() bool { return s.Stats().Failed })
	if n, err := s.Send(frames(t, 1)); n != 0 || !errors.Is(err, mirror.ErrStorage) {
		t.Errorf("Send = %d, %v; want 0, %v", n, err, mirror.ErrStorage)
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	tempo.Until(t, "recovery", func() bool { return !s.Stats().Failed })
	s.Close()
	if n := len(readAll(t, dir)); n != 1 {
		t.Errorf("%d packets in files, want 1", n)
	}
}
