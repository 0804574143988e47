package audit

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"sort"
	"time"
)

// Entries stand in a file in the order in which they were made, but for moments in which
// the machine is busy, and where the clock was set back.
const (
	searchBefore = 2 * time.Second
	searchBehind = time.Minute
	searchMost   = 64 << 20 // octets
	searchLine   = 1 << 20  // the longest line that is read; see the bounds of an entry's lists
)

// FindAt is [Find] for a session that has ended at a time. It looks there first, and thus
// reads little of a long file.
func FindAt(file, session string, at time.Time) ([]byte, error) {
	f, size, key, err := openFor(file, session)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	line := scanFrom(f, lineBefore(f, size, at.Add(-searchBefore)), key, at.Add(searchBehind))
	if line != nil {
		return line, nil
	}
	return Find(file, session)
}

// stampOf returns the time with which an entry begins, as it is written there; nil for none.
func stampOf(line []byte) []byte {
	const begin = `{"time":"`
	const length = len("2006-01-02T15:04:05.000000000Z")
	if rest, ok := bytes.CutPrefix(line, []byte(begin)); ok && len(rest) >= length {
		return rest[:length]
	}
	return nil
}

// stamp writes a time as entries begin.
func stamp(t time.Time) []byte {
	text, _ := Time{t}.MarshalJSON() // it has no error
	return bytes.Trim(text, `"`)
}

// lineBefore returns an offset in a file before the entries that were made at a time or
// later.
func lineBefore(f io.ReaderAt, size int64, at time.Time) int64 {
	const block = 64 << 10
	want, buf := stamp(at), make([]byte, block)
	blocks := int(size / block)
	n := sort.Search(blocks, func(i int) bool {
		n, err := f.ReadAt(buf, int64(i)*block)
		if err != nil && !errors.Is(err, io.EOF) {
			return true
		}
		for rest := buf[:n]; ; {
			end := bytes.IndexByte(rest, '\n')
			if end < 0 {
				return false // one long line
			}
			rest = rest[end+1:]
			if made := stampOf(rest); made != nil {
				return bytes.Compare(made, want) >= 0
			}
		}
	})
	return int64(max(n-1, 0)) * block
}

// scanFrom returns the line with key behind an offset, among those made until a time; nil
// for none.
func scanFrom(f io.ReaderAt, from int64, key []byte, until time.Time) []byte {
	lines, last := bufio.NewScanner(io.NewSectionReader(f, from, searchMost)), stamp(until)
	lines.Buffer(make([]byte, 0, 64<<10), searchLine)
	for lines.Scan() {
		line := lines.Bytes()
		if made := stampOf(line); made != nil && bytes.Compare(made, last) > 0 {
			return nil
		}
		if bytes.Contains(line, key) && json.Valid(line) {
			return bytes.Clone(line)
		}
	}
	return nil
}
