package trail

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/klauspost/compress/zstd"
	"golang.org/x/sys/unix"
)

// idle is the lowest priority of a thread (setpriority(2)).
const idle = 19

// Tend compresses the files of the trail at path that have ended, if o says that, and
// removes those beyond o.Keep, the oldest first. leaving is told of a file before it is
// removed, by its name without directory; it may be nil. The work has the lowest priority
// and stops when ctx ends. Processes that tend one trail do not disturb each other.
func Tend(ctx context.Context, path string, o Options, leaving func(name string)) error {
	result := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with its priority
		_ = unix.Setpriority(unix.PRIO_PROCESS, unix.Gettid(), idle)
		result <- tend(ctx, path, o, leaving)
	}()
	return <-result
}

func tend(ctx context.Context, path string, o Options, leaving func(string)) error {
	if err := prune(path, o.Keep, leaving); err != nil || !o.Compress {
		return err
	}
	names, err := Ended(path)
	if err != nil {
		return err
	}
	var errs []error
	for _, name := range names {
		if !strings.HasSuffix(name, compressed) {
			errs = append(errs, compress(ctx, filepath.Join(filepath.Dir(path), name)))
		}
	}
	return errors.Join(errs...)
}

// prune removes files beyond the number to keep.
func prune(path string, keep int, leaving func(string)) error {
	if keep <= 0 {
		return nil
	}
	names, err := Ended(path)
	if err != nil {
		return err
	}
	for _, name := range names[:max(0, len(names)-keep)] {
		if leaving != nil {
			leaving(name)
		}
		plain := filepath.Join(filepath.Dir(path), strings.TrimSuffix(name, compressed))
		for _, form := range []string{plain + compressed + unfinished, plain, plain + compressed} {
			if err := os.Remove(form); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	return nil
}

// compress replaces the file at path by one with the same lines. Whoever reads the file
// meanwhile goes on reading it.
func compress(ctx context.Context, path string) (err error) {
	in, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // another process was quicker
	}
	if err != nil {
		return err
	}
	defer in.Close()
	if err := unix.Flock(int(in.Fd()), unix.LOCK_EX|unix.LOCK_NB); errors.Is(err, unix.EWOULDBLOCK) {
		return nil // another process is at it
	}
	before, err := in.Stat()
	if err != nil {
		return err
	}
	if now, err := os.Stat(path); err != nil || !os.SameFile(before, now) {
		return nil // another process has done it
	}
	temporary := path + compressed + unfinished
	defer func() {
		if err != nil {
			os.Remove(temporary)
			err = fmt.Errorf("compress %s: %w", path, err)
		}
	}()
	if err := write(ctx, temporary, in); err != nil {
		return err
	}
	if err := os.Chtimes(temporary, before.ModTime(), before.ModTime()); err != nil {
		return err
	}
	if err := os.Rename(temporary, path+compressed); err != nil {
		return err
	}
	return os.Remove(path)
}

// write compresses in to a new file, which is on the disk when write returns.
func write(ctx context.Context, path string, in io.Reader) error {
	out, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer out.Close()
	z, err := zstd.NewWriter(out, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(1<<20)) // in this thread
	if err != nil {
		return err
	}
	if _, err := io.CopyBuffer(z, reading{ctx, in}, make([]byte, 256<<10)); err != nil {
		return err
	}
	if err := z.Close(); err != nil {
		return err
	}
	return out.Sync()
}

// reading is a reader that ends with its context.
type reading struct {
	ctx context.Context
	in  io.Reader
}

func (r reading) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.in.Read(p)
}
