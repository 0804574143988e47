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
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("find entry: %w", err)
	}
	defer f.Close()
	end, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, fmt.Errorf("find entry: %w", err)
	}
	quoted, err := json.Marshal(session)
	if err != nil {
		return nil, fmt.Errorf("find entry: %w", err)
	}
	key := append([]byte(`"session":`), quoted...)
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
