package trail

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// file appends to the file at path. It is for one goroutine.
type file struct {
	path    string
	options Options
	events  Events
	now     func() time.Time
	stuck   time.Time // until then a file that could not be renamed goes on

	f    *os.File
	size int64     // octets of the file after the last write of this process
	cut  []byte    // of a line that was written in part: that part
	born time.Time // when the file got its first line, as far as that is known; zero if it is empty
}

// Events tell the owner of a file what became of it. Each may be nil.
type Events struct {
	Written func()          // after each write
	Ended   func()          // a file has ended
	Failed  func(err error) // a file could not be ended, and goes on; told once a minute
}

// again is how long a file goes on that could not be ended.
const again = time.Minute

// Open opens the file at path for appending whole lines, and creates it with mode 0600 if
// it does not exist. The file ends as o says, at the first write behind the time.
//
// Octets that are written end in a line feed, but where a write failed: then the next one
// begins with the rest of the line. A line that another process left unfinished is ended
// first. What is no regular file, such as a pipe, is opened as it is.
func Open(path string, o Options, events Events) (io.WriteCloser, error) {
	t := &file{path: path, options: o, events: events, now: time.Now}
	if err := t.open(); err != nil {
		return nil, err
	}
	if info, err := t.f.Stat(); err != nil || !info.Mode().IsRegular() {
		return t.f, err
	}
	return t, nil
}

// open opens the path.
func (t *file) open() error {
	f, err := os.OpenFile(t.path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	if t.f != nil {
		t.f.Close() // nothing is buffered
	}
	t.f, t.size, t.born = f, -1, time.Time{}
	if info, err := f.Stat(); err == nil && info.Size() > 0 {
		t.born = info.ModTime() // at the latest
	}
	return nil
}

// Write implements [io.Writer]. Lines that a file has no room for go to the next one.
func (t *file) Write(p []byte) (n int, err error) {
	for n < len(p) && err == nil {
		var taken int
		taken, err = t.append(p[n:])
		n += taken
	}
	return n, err
}

// append writes the lines of p for which the file has room, but at least one.
func (t *file) append(p []byte) (n int, err error) {
	if err := t.enter(firstLine(p)); err != nil {
		return 0, err
	}
	defer unix.Flock(int(t.f.Fd()), unix.LOCK_UN)
	if err := t.mend(); err != nil {
		return 0, err
	}
	n, err = t.f.Write(p[:t.fits(p)])
	t.keepCut(p[:n])
	if info, e := t.f.Stat(); e == nil {
		t.size = info.Size()
	}
	if n > 0 {
		if t.born.IsZero() {
			t.born = t.now()
		}
		if t.events.Written != nil {
			t.events.Written()
		}
	}
	return n, err
}

// firstLine returns the length of the first line of p.
func firstLine(p []byte) int {
	if end := bytes.IndexByte(p, '\n'); end >= 0 {
		return end + 1
	}
	return len(p)
}

// fits returns how much of p the file has room for: whole lines, at least one.
func (t *file) fits(p []byte) int {
	info, err := t.f.Stat()
	if err != nil || t.options.Size == 0 || t.now().Before(t.stuck) || uint64(info.Size())+uint64(len(p)) <= t.options.Size {
		return len(p)
	}
	if size := uint64(info.Size()); size < t.options.Size {
		if end := bytes.LastIndexByte(p[:t.options.Size-size], '\n'); end >= 0 {
			return end + 1
		}
	}
	return firstLine(p)
}

// enter takes the lock of the file that has the path, and ends the file before that if it
// is time to. n octets are to be written.
func (t *file) enter(n int) error {
	for {
		lock(t.f)
		info, err := t.f.Stat()
		if err != nil {
			return err
		}
		named, err := os.Stat(t.path)
		switch {
		case err == nil && os.SameFile(info, named):
			if !t.due(info, n) || !t.end() {
				return nil
			}
		case errors.Is(err, fs.ErrPermission):
			// The directory has become another user's: sessions that began before go on. The
			// file is looked after by those who can see it.
			return nil
		case err != nil && !errors.Is(err, fs.ErrNotExist):
			return err
		}
		if err := t.open(); err != nil { // the lock goes with the file
			return err
		}
	}
}

// end gives the file its last name, and reports whether it has it.
func (t *file) end() bool {
	err := os.Rename(t.path, Name(t.path, t.now()))
	if err != nil {
		t.stuck = t.now().Add(again)
		if t.events.Failed != nil {
			t.events.Failed(fmt.Errorf("rotate: %w", err))
		}
		return false
	}
	if t.events.Ended != nil {
		t.events.Ended()
	}
	return true
}

// lock waits for the lock of f. A file system without locks has none: there, one process
// writes.
func lock(f *os.File) {
	for unix.Flock(int(f.Fd()), unix.LOCK_EX) == unix.EINTR {
	}
}

// due reports whether the file is to end before n octets are written. A line is not
// split.
func (t *file) due(info os.FileInfo, n int) bool {
	if info.Size() == 0 || len(t.cut) > 0 && info.Size() == t.size || t.now().Before(t.stuck) {
		return false
	}
	if size := t.options.Size; size > 0 && uint64(info.Size())+uint64(n) > size {
		return true
	}
	every := t.options.Every
	if every <= 0 {
		return false
	}
	born := t.born
	if born.IsZero() { // another process began it
		born = info.ModTime()
		t.born = born
	}
	return t.now().Truncate(every).After(born.Truncate(every))
}

// mend ends a line that a process left unfinished. If another process has written behind
// a cut line of this one, the cut part is written again.
func (t *file) mend() error {
	info, err := t.f.Stat()
	if err != nil || info.Size() == t.size {
		return err
	}
	var prefix []byte
	if info.Size() > 0 {
		last := make([]byte, 1)
		if _, err := t.f.ReadAt(last, info.Size()-1); err == nil && last[0] != '\n' {
			prefix = []byte{'\n'}
		}
	}
	prefix = append(prefix, t.cut...)
	if len(prefix) == 0 {
		return nil
	}
	n, err := t.f.Write(prefix)
	if n < len(prefix) && n > 0 {
		if e := t.f.Truncate(info.Size()); e != nil { // nobody else writes now
			return errors.Join(err, e)
		}
	}
	return err
}

// keepCut remembers the end of p if it is part of a line.
func (t *file) keepCut(p []byte) {
	if len(p) == 0 {
		return
	}
	if end := bytes.LastIndexByte(p, '\n'); end >= 0 {
		t.cut, p = t.cut[:0], p[end+1:]
	}
	t.cut = append(t.cut, p...)
}

// Close implements [io.Closer].
func (t *file) Close() error { return t.f.Close() }
