package main

import (
	"bytes"
	"sync"
)

// maxRecent bounds the log that is kept, in octets.
const maxRecent = 256 << 10

// recentLog is the last lines of the log of this process, for `clearspan support`.
var recentLog lastLines

// lastLines keeps the last lines that were written. It is safe for concurrent use.
type lastLines struct {
	mu   sync.Mutex
	text []byte
}

// Write keeps whole lines. It never fails.
func (l *lastLines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.text = append(l.text, p...); len(l.text) > 2*maxRecent {
		rest := l.text[len(l.text)-maxRecent:]
		rest = rest[bytes.IndexByte(rest, '\n')+1:]
		l.text = append(make([]byte, 0, 2*maxRecent), rest...)
	}
	return len(p), nil
}

// String returns the lines.
func (l *lastLines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.text)
}
