package pcapng

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

const (
	suffix     = ".pcapng"
	partial    = ".partial"
	timeLayout = "20060102T150405.000Z" // UTC
)

// store is the files of one sink: at most one open, the others complete. It is
// not safe for concurrent use.
type store struct {
	directory string
	prefix    string
	size      int64         // octets, a file's longest; 0 means no limit
	every     time.Duration // a file's longest time; 0 means no limit
	keep      int           // complete files; 0 means all
	head      []byte        // what every file begins with
	log       *slog.Logger

	names   *regexp.Regexp // of complete files
	created int            // files created, the number in their names

	file   *os.File // nil while none is open
	path   string   // of the complete file; the open one has partial appended
	offset int64    // octets written completely
	opened time.Time
	frames uint64                  // in the open file
	named  map[nameRecord]struct{} // in the open file
	fresh  []nameRecord            // scratch: names of a buffer that the open file has not
	block  []byte                  // scratch: their block

	direct    bool // files may be written past the page cache
	bypassing bool // the open file is, at the moment

	pruning sync.WaitGroup // one goroutine at most

	lost     *atomic.Uint64 // frames that the sink lost
	reported uint64         // of them, in files
}

// newStore makes the directory if there is none, and deals with files that an
// earlier run left.
func newStore(cfg *Config) (*store, error) {
	head, err := fileHead(cfg.Interface)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(cfg.Directory, 0o700); err != nil {
		return nil, fmt.Errorf("create capture directory: %w", err)
	}
	st := &store{
		directory: cfg.Directory,
		prefix:    cfg.Prefix,
		size:      cfg.RotateSize,
		every:     cfg.RotateEvery,
		keep:      cfg.Keep,
		head:      head,
		log:       cfg.Logger,
		lost:      cfg.lost,
		direct:    cfg.RotateSize == 0 || cfg.RotateSize >= directFile,
		names:     regexp.MustCompile(`^` + regexp.QuoteMeta(cfg.Prefix) + `-\d{8}T\d{6}\.\d{3}Z-\d{4,}` + regexp.QuoteMeta(suffix) + `$`),
	}
	if err := st.recover(); err != nil {
		return nil, err
	}
	st.prune()
	return st, nil
}

// write appends the blocks of b to the open file, and before them the names that
// it has not yet, after completing it if it would grow too long and creating one
// if none is open. When it fails, nothing of b is in a file: the file was cut
// back, completed, and closed. A large buffer passes by the page cache unless
// cached is set; it is filled up to whole sectors for that, and so is what stands
// before it.
func (st *store) write(b *buffer, now time.Time, cached bool) error {
	direct := st.direct && !cached && len(b.blocks) >= directMin
	need := len(b.blocks) + b.named + statisticsSize
	if direct {
		need += 2 * maxFiller
	}
	if st.file != nil && st.size > 0 && st.offset+int64(need) > st.size {
		st.finish()
	}
	if st.file == nil {
		if err := st.create(now); err != nil {
			return err
		}
	}
	lead := st.newNames(b.names)
	if direct {
		lead = appendFiller(lead, st.offset+int64(len(lead)))
		st.block = lead // its memory is used again
		b.blocks = appendFiller(b.blocks, int64(len(b.blocks)))
	}
	err := st.put(lead, false)
	if err == nil {
		err = st.put(b.blocks, direct)
	}
	if err != nil {
		st.finish()
		return fmt.Errorf("write capture file: %w", err)
	}
	for _, n := range st.fresh {
		st.named[n] = struct{}{}
	}
	st.offset += int64(len(lead) + len(b.blocks))
	st.frames += b.frames
	return nil
}

// newNames returns the block of those names that the open file has not, empty if
// there are none; they are st.fresh. It is valid until the next call, and what the
// caller appends to it, too.
func (st *store) newNames(names []nameRecord) []byte {
	st.fresh = st.fresh[:0]
	for _, n := range names {
		if _, has := st.named[n]; !has && len(st.named)+len(st.fresh) < maxFileNames && !slices.Contains(st.fresh, n) {
			st.fresh = append(st.fresh, n)
		}
	}
	if st.block = st.block[:0]; len(st.fresh) > 0 {
		st.block = appendNames(st.block, st.fresh)
	}
	return st.block
}

// expire completes the open file if it is old enough.
func (st *store) expire(now time.Time) {
	if st.every > 0 && now.Sub(st.opened) >= st.every {
		st.finish()
	}
}

// create opens a new file and writes its head.
func (st *store) create(now time.Time) error {
	file, path, err := st.createLocked(now)
	if err != nil {
		return fmt.Errorf("create capture file: %w", err)
	}
	st.file, st.path, st.offset, st.opened, st.frames, st.bypassing = file, path, 0, now, 0, false
	st.named = make(map[nameRecord]struct{})
	if _, err := file.Write(st.head); err != nil {
		st.finish()
		return fmt.Errorf("write capture file: %w", err)
	}
	st.offset = int64(len(st.head))
	return nil
}

// createLocked creates and locks a partial file whose complete name is free too. It
// passes over names that another sink took in the same millisecond.
func (st *store) createLocked(now time.Time) (file *os.File, path string, err error) {
	for range 100 {
		st.created++
		path = filepath.Join(st.directory, fmt.Sprintf("%s-%s-%04d%s",
			st.prefix, now.UTC().Format(timeLayout), st.created, suffix))
		if _, err := os.Lstat(path); err == nil {
			continue
		}
		file, err = os.OpenFile(path+partial, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return nil, "", err
		}
		if lockCreated(file, path+partial) {
			return file, path, nil
		}
		file.Close()
	}
	return nil, "", fmt.Errorf("no free name after %s: %w", path, fs.ErrExist)
}

// lockCreated locks a file just created, which tells another sink's recover that it
// is in use, and reports whether none had found the file before, unlocked and
// empty. Where there are no locks, recover touches nothing.
func lockCreated(file *os.File, path string) bool {
	if errors.Is(lock(file), unix.EWOULDBLOCK) {
		return false
	}
	opened, err := file.Stat()
	if err != nil {
		return false
	}
	named, err := os.Lstat(path)
	return err == nil && os.SameFile(opened, named)
}

// finish closes the open file, if any: it cuts off what was not written
// completely, appends statistics if there is room, and gives the file its final
// name, or removes it if it holds nothing. A file for which that does not work is logged and keeps its partial
// name; frames already in it are not counted as lost.
func (st *store) finish() {
	if st.file == nil {
		return
	}
	err := st.bypass(false)
	if st.offset <= int64(len(st.head)) {
		err = errors.Join(err, os.Remove(st.path+partial))
	} else if e := st.file.Truncate(st.offset); e != nil {
		err = errors.Join(err, e)
	} else {
		err = errors.Join(err, st.complete(), rename(st.path))
	}
	if err = errors.Join(err, st.file.Close()); err != nil {
		st.log.Error("capture file not completed", "file", st.path+partial, "err", err)
	}
	st.file = nil
	st.pruning.Wait() // for the file before: long over
	st.pruning.Go(st.prune)
}

// close completes the open file and waits until old ones are removed.
func (st *store) close() {
	st.finish()
	st.pruning.Wait()
}

// complete appends the statistics. A storage that has no room for them keeps
// the file without.
func (st *store) complete() error {
	lost := st.lost.Load()
	octets := appendStatistics(nil, statistics{st.opened, time.Now(), st.frames, lost - st.reported})
	if _, err := st.file.WriteAt(octets, st.offset); err != nil {
		return st.file.Truncate(st.offset)
	}
	st.reported = lost
	return nil
}

// rename gives the partial file of path its final name, unless a file has that
// name already.
func rename(path string) error {
	if _, err := os.Lstat(path); err == nil {
		return fmt.Errorf("rename %s: %w", path+partial, fs.ErrExist)
	}
	return os.Rename(path+partial, path)
}

// prune removes the oldest complete files beyond the number to keep. Names
// sort by time. Some file systems take long to remove a large file: frames do not
// wait for that.
func (st *store) prune() {
	if st.keep == 0 {
		return
	}
	names, err := st.list("")
	for _, name := range names[:max(0, len(names)-st.keep)] {
		gone := os.Remove(filepath.Join(st.directory, name))
		if !errors.Is(gone, fs.ErrNotExist) { // else another sink of the directory was faster
			err = errors.Join(err, gone)
		}
	}
	if err != nil {
		st.log.Warn("old capture files not removed", "directory", st.directory, "err", err)
	}
}

// list returns the names of the store's files with the given ending after
// their complete names, oldest first, without the ending.
func (st *store) list(ending string) ([]string, error) {
	entries, err := os.ReadDir(st.directory)
	var names []string
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), ending)
		if ok && e.Type().IsRegular() && st.names.MatchString(name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, err
}

func lock(file *os.File) error { return unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB) }
