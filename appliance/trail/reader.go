package trail

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"strings"
)

const (
	readSize = 256 << 10
	// MaxLine is the longest line that a reader returns, in octets. Longer ones are passed
	// over.
	MaxLine = 4 << 20
)

// Position is a place in a trail, between two lines. It stays true if its file ends, is
// renamed or compressed. The zero value is the start of the oldest file.
type Position struct {
	After  string `json:"after"`  // the file that ended before that one, "" if there is none
	File   string `json:"file"`   // identity of the file, "" of one without a line
	Offset int64  `json:"offset"` // octets before the place, uncompressed
}

// Reader reads the lines of a trail in order, across its files. It is for one goroutine.
type Reader struct {
	path  string
	src   *source
	pos   Position // behind the last line that Next returned
	last  bool     // src has ended, and was read once more since
	miss  error    // a file that was to be read was not found, or is damaged
	over  bool     // the line at hand is too long
	ahead int64    // octets of src that were read, but are not behind pos

	buf        []byte
	start, end int // of the octets in buf that Next has not returned
}

// NewReader returns a reader of the trail at path that begins at from. Nothing is opened
// yet. Close it.
func NewReader(path string, from Position) *Reader {
	return &Reader{path: path, pos: from, buf: make([]byte, readSize)}
}

// Position returns the place behind the last line that Next returned, or the one that the
// reader was given.
func (r *Reader) Position() Position { return r.pos }

// Missed tells once of a file that was to be read and is no more, or is damaged: lines are
// lost with it. The reader goes on with the file behind it.
func (r *Reader) Missed() error {
	err := r.miss
	r.miss = nil
	return err
}

// Next returns the next line, without its line feed. The line is valid until the next
// call. io.EOF says that there is none now; there may be one later.
func (r *Reader) Next() ([]byte, error) {
	if r.src == nil {
		if err := r.find(); err != nil {
			return nil, err
		}
	}
	for {
		line, err := r.take()
		switch {
		case err == nil:
			return line, nil
		case err != io.EOF && r.src.name == "":
			return nil, err
		case err != io.EOF:
			r.miss = err
		}
		if more, err := r.follow(); !more {
			return nil, err
		}
	}
}

// take returns the next line of the source, or io.EOF.
func (r *Reader) take() ([]byte, error) {
	searched := 0
	for {
		if n := bytes.IndexByte(r.buf[r.start+searched:r.end], '\n'); n >= 0 {
			n += searched
			line := r.buf[r.start : r.start+n]
			r.start += n + 1
			r.pos.Offset += r.ahead + int64(n) + 1
			r.ahead = 0
			over := r.over || n > MaxLine
			if r.over = false; over {
				searched = 0
				continue
			}
			if r.pos.File == "" {
				r.pos.File = r.src.identity()
			}
			return line, nil
		}
		if r.end-r.start > MaxLine {
			r.over = true
			r.ahead += int64(r.end - r.start)
			r.start, r.end = 0, 0
		}
		searched = r.end - r.start
		if err := r.fill(); err != nil {
			return nil, err
		}
	}
}

// fill reads more of the source behind what is at hand.
func (r *Reader) fill() error {
	if r.start > 0 {
		r.end = copy(r.buf, r.buf[r.start:r.end])
		r.start = 0
	}
	if r.end == len(r.buf) {
		r.buf = append(r.buf, make([]byte, len(r.buf))...)
	}
	n, err := r.src.Read(r.buf[r.end:])
	r.end += n
	if n > 0 {
		return nil
	}
	return err
}

// follow goes on behind the end of the source: false if nothing is there yet.
func (r *Reader) follow() (more bool, err error) {
	if r.src.name == "" && !r.last {
		same, err := r.src.isAt(r.path)
		switch {
		case err != nil && !errors.Is(err, fs.ErrNotExist):
			return false, err
		case same && r.src.shrunk(r.pos.Offset):
			next, err := openSource(r.path, "")
			if err != nil {
				return false, err
			}
			r.use(next, Position{After: r.pos.After})
			return true, nil
		case same:
			return false, io.EOF
		}
		r.last = true // what was written before the rename is read now
		return true, nil
	}
	return r.next()
}

// next opens the file behind the source, which has ended.
func (r *Reader) next() (more bool, err error) {
	current, err := openSource(r.path, "") // before the list: if it ends meanwhile, it is there
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	names, err := Ended(r.path)
	if err != nil {
		current.close()
		return false, err
	}
	after := r.pos.After
	if i := r.src.among(r.path, names); i >= 0 {
		after = strings.TrimSuffix(names[i], compressed)
	}
	next := firstAfter(names, after)
	if next == "" {
		if current == nil || r.src.same(current) {
			current.close()
			return false, io.EOF
		}
		r.use(current, Position{After: after})
		return true, nil
	}
	current.close()
	s, err := openEnded(r.path, next)
	if err != nil {
		return false, err
	}
	r.use(s, Position{After: after})
	return true, nil
}

// use has the reader go on in s, at its start.
func (r *Reader) use(s *source, at Position) {
	r.src.close()
	r.src, r.pos, r.last = s, at, false
	r.start, r.end, r.over, r.ahead = 0, 0, false, 0
}

// Seek has the reader go on at a position that it has been at before. The file of the
// position stays readable if it is the one that is read.
func (r *Reader) Seek(to Position) {
	if r.src != nil && to.File != "" && r.src.identity() == to.File && r.src.rewind() == nil && r.src.skip(to.Offset) == nil {
		src := r.src
		r.src = nil
		r.use(src, to)
		return
	}
	r.src.close()
	r.src = nil
	r.pos = to
	r.start, r.end, r.over, r.ahead, r.last = 0, 0, false, 0, false
}

// Close closes the file that is open.
func (r *Reader) Close() { r.src.close(); r.src = nil }
