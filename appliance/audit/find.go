package audit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
)

// Bounds of a search for an entry.
const (
	searchChunk = 1 << 20
	searchDepth = 256 << 20 // octets from the end of the file
)

// ErrNoEntry is returned by [Find] if there is no such entry in the last 256 MiB.
var ErrNoEntry = errors.New("no entry of that session")

// Find returns the last entry of a session in a file of entries: one line, without its
// end.
func Find(file, session string) ([]byte, error) {
	f, end, key, err := openFor(file, session)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var rest []byte // of a line that begins in the chunk before
	for stop := max(0, end-searchDepth); end > stop; {
		n := min(searchChunk, end-stop)
		buf := make([]byte, n, int(n)+len(rest))
		if _, err := f.ReadAt(buf, end-n); err != nil {
			return nil, fmt.Errorf("find entry: %w", err)
		}
		end -= n
		buf = append(buf, rest...)
		begin := 0
		if end > 0 {
			begin = bytes.IndexByte(buf, '\n') + 1
		}
		if line := lastWith(buf[begin:], key); line != nil {
			return line, nil
		}
		switch {
		case begin > 0:
			rest = buf[:begin]
		case len(buf) < 2*searchChunk:
			rest = buf
		default:
			rest = nil // no entry is that long
		}
	}
	return nil, ErrNoEntry
}

// openFor opens a file of entries, of that many octets, in which an entry of the session
// has key.
func openFor(file, session string) (f *os.File, size int64, key []byte, err error) {
	if f, err = os.Open(file); err != nil {
		return nil, 0, nil, fmt.Errorf("find entry: %w", err)
	}
	if size, err = f.Seek(0, io.SeekEnd); err == nil {
		key, err = json.Marshal(session)
	}
	if err != nil {
		f.Close()
		return nil, 0, nil, fmt.Errorf("find entry: %w", err)
	}
	return f, size, append([]byte(`"session":`), key...), nil
}

// lastWith returns the last line that holds key, nil if none does. A line that is not whole
// does not count.
func lastWith(lines, key []byte) []byte {
	for {
		at := bytes.LastIndex(lines, key)
		if at < 0 {
			return nil
		}
		begin := bytes.LastIndexByte(lines[:at], '\n') + 1
		line, _, _ := bytes.Cut(lines[begin:], []byte("\n"))
		if json.Valid(line) {
			return line
		}
		lines = lines[:begin]
	}
}
