package trail

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strings"
)

// End returns the position behind the last line of the trail at path.
func End(path string) (Position, error) {
	var pos Position
	names, err := Ended(path)
	if errors.Is(err, fs.ErrNotExist) {
		return pos, nil
	}
	if err != nil {
		return pos, err
	}
	if len(names) > 0 {
		pos.After = strings.TrimSuffix(names[len(names)-1], compressed)
	}
	s, err := openSource(path, "")
	if errors.Is(err, fs.ErrNotExist) {
		return pos, nil
	}
	if err != nil {
		return pos, err
	}
	defer s.close()
	r := &Reader{path: path, src: s, pos: pos, buf: make([]byte, readSize)}
	for {
		if _, err := r.take(); err != nil {
			return r.pos, ignoreEOF(err)
		}
	}
}

func ignoreEOF(err error) error {
	if err == io.EOF {
		return nil
	}
	return err
}

// firstAfter returns the first of the sorted names behind one without what compression
// added, "" for none.
func firstAfter(names []string, after string) string {
	for _, name := range names {
		if strings.TrimSuffix(name, compressed) > after {
			return name
		}
	}
	return ""
}

// find opens the file of the position.
func (r *Reader) find() error {
	current, err := openSource(r.path, "")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	names, err := Ended(r.path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		current.close()
		return err
	}
	want := r.pos
	s := current
	if want.File == "" || current.identity() != want.File {
		s, err = r.search(names, want)
		if err != nil {
			current.close()
			return err
		}
		if s == nil {
			s = current
		} else {
			current.close()
		}
	}
	if s == nil {
		return io.EOF // nothing was ever written
	}
	if want.File != "" && s.identity() != want.File {
		r.miss = fmt.Errorf("the file behind %q is gone", want.After)
		r.use(s, Position{After: want.After})
		return nil
	}
	r.use(s, Position{After: want.After, File: want.File})
	if err := s.skip(want.Offset); err != nil {
		r.miss = err
		r.use(s, Position{After: want.After})
		return s.rewind()
	}
	r.pos.Offset = want.Offset
	return nil
}

// search returns the ended file of the position, else the first one behind it; nil if
// there is none.
func (r *Reader) search(names []string, want Position) (*source, error) {
	next := firstAfter(names, want.After)
	if next == "" {
		return nil, nil
	}
	s, err := openEnded(r.path, next)
	if err != nil || want.File == "" || s.identity() == want.File {
		return s, err
	}
	for i := len(names) - 1; i >= 0; i-- {
		other, err := openEnded(r.path, names[i])
		if err != nil {
			continue
		}
		if other.identity() == want.File {
			s.close()
			return other, nil
		}
		other.close()
	}
	return s, nil
}

// Lines returns how many lines of an ended file are lost to who reads at a position if the
// file goes: all, if the position is in an earlier file, none, if it is in a later one, or
// in this one, which stays open.
func Lines(path, name string, from Position) (uint64, error) {
	if strings.TrimSuffix(name, compressed) <= from.After {
		return 0, nil
	}
	s, err := openEnded(path, name)
	if err != nil {
		return 0, err
	}
	defer s.close()
	if from.File != "" && s.identity() == from.File {
		return 0, nil
	}
	var n uint64
	buf := make([]byte, readSize)
	for {
		got, err := s.Read(buf)
		n += uint64(bytes.Count(buf[:got], []byte{'\n'}))
		if err != nil {
			return n, ignoreEOF(err)
		}
	}
}

// openEnded opens an ended file, also if it was compressed since its name was read.
func openEnded(path, name string) (*source, error) {
	s, err := openSource(filepath.Join(filepath.Dir(path), name), name)
	if errors.Is(err, fs.ErrNotExist) && !strings.HasSuffix(name, compressed) {
		name += compressed
		s, err = openSource(filepath.Join(filepath.Dir(path), name), name)
	}
	return s, err
}
