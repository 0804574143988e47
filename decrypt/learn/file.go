package learn

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

const (
	fileVersion = 1
	maxFile     = 64 << 20        // octets
	maxFileKept = 100_000         // entries that are taken from a file
	broken      = ".broken"       // behind the name of a file that could not be read
	saveDelay   = 1 * time.Second // so that many changes are one file
	saveRetry   = time.Minute
	lookEvery   = 2 * time.Second // at the file, which another process may have changed
)

type file struct {
	Version int     `json:"version"`
	Entries []Entry `json:"entries"`
}

// Load reads what Save wrote; no file is no error. A file that is not whole, or
// of another version, is renamed, with ".broken" behind its name, and a warning
// logged: it is no reason not to start. Entries that are over, or that could not
// have been learned, are left out.
func (t *Table) Load(path string) error {
	t.syncing.Lock()
	defer t.syncing.Unlock()
	entries, known, err := t.read(path)
	if err != nil || entries == nil {
		return err
	}
	t.synced, t.base = known, byKey(entries)
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	left := 0
	for _, e := range entries {
		if !e.valid() || e.expired(now) || t.entries.Find(e.key()) != nil {
			left++
			continue
		}
		t.add(e)
	}
	t.log.Info("learned entries read", "entries", t.entries.Len(), "skipped", left)
	return nil
}

// read returns the entries of a file, and which file that is; nil if there is none, or none
// that can be read, which is set aside then.
func (t *Table) read(path string) ([]Entry, os.FileInfo, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, fmt.Errorf("open learned entries: %w", err)
	}
	defer f.Close()
	known, err := f.Stat()
	if err != nil {
		return nil, nil, fmt.Errorf("open learned entries: %w", err)
	}
	entries, err := decode(io.LimitReader(f, maxFile))
	if err != nil {
		if moved := os.Rename(path, path+broken); moved != nil {
			return nil, nil, fmt.Errorf("set learned entries aside: %w", moved)
		}
		t.log.Warn("unreadable file of learned entries renamed", "file", path+broken, "err", err)
		return nil, nil, nil
	}
	return entries, known, nil
}

// decode reads a file.
func decode(r io.Reader) ([]Entry, error) {
	var f file
	d := json.NewDecoder(r)
	if err := d.Decode(&f); err != nil {
		return nil, fmt.Errorf("read learned entries: %w", err)
	}
	if f.Version != fileVersion {
		return nil, fmt.Errorf("read learned entries: version is %d, not %d", f.Version, fileVersion)
	}
	if len(f.Entries) > maxFileKept {
		return nil, fmt.Errorf("read learned entries: there are %d, more than %d", len(f.Entries), maxFileKept)
	}
	if f.Entries == nil {
		f.Entries = []Entry{}
	}
	return f.Entries, nil
}

// valid reports whether an entry could have been learned.
func (e *Entry) valid() bool {
	host, ok := normalizeHost(e.Host)
	switch {
	case !ok || host != e.Host, len(e.Offer) > maxOffer, len(e.Why) > maxHost, !e.By.IsValid():
		return false
	case len(e.Destinations) == 0 || len(e.Destinations) > maxDestinations:
		return false
	case e.Lesson != Pinned && e.Client.IsValid(), e.Lesson != FailedOrigin && e.Offer != "":
		return false
	}
	for _, l := range Lessons {
		if e.Lesson == l {
			return e.ID == e.key().id()
		}
	}
	return false
}

// Save writes the entries to a new file of mode 0600 and renames it to path, so
// that path is whole at every time.
func (t *Table) Save(path string) error { return save(path, t.List()) }

func save(path string, entries []Entry) (err error) {
	data, err := json.Marshal(file{fileVersion, entries})
	if err != nil {
		return fmt.Errorf("write learned entries: %w", err)
	}
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, "."+filepath.Base(path)+"-*") // mode 0600
	if err != nil {
		return fmt.Errorf("write learned entries: %w", err)
	}
	_, err = f.Write(append(data, '\n'))
	if err == nil {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("write learned entries: %w", errors.Join(err, os.Remove(f.Name())))
	}
	return nil
}

// Run synchronizes the table with the file a second after a change, and when another process
// has changed the file, until ctx ends, and then once more if there was a change.
func (t *Table) Run(ctx context.Context, path string) {
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			select {
			case <-t.dirty:
				t.save(path)
			default:
			}
			return
		case <-look.C:
			if t.changedElsewhere(path) {
				t.save(path)
			}
			continue
		case <-t.dirty:
		}
		wait := saveDelay
		for {
			select {
			case <-ctx.Done():
				t.save(path)
				return
			case <-time.After(wait):
			}
			if t.save(path) {
				break
			}
			wait = saveRetry
		}
	}
}

func (t *Table) save(path string) bool {
	err := t.Sync(path)
	if err != nil {
		t.log.Error("learned entries not saved", "err", err)
	}
	return err == nil
}
