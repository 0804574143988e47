package pcapng

import (
	"bytes"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
)

// TestKeepTogether: two sinks of one directory, as of two processes of which one ends its
// sessions, keep as many files together as one would alone. Neither complains.
func TestKeepTogether(t *testing.T) {
	dir := t.TempDir()
	var log bytes.Buffer
	var mu sync.Mutex
	logger := slog.New(slog.NewTextHandler(lockedWriter{&mu, &log}, nil))
	cfg := Config{Directory: dir, RotateSize: 300_000, Keep: 3, Logger: logger}
	first, second := openSink(t, cfg), openSink(t, cfg)
	var both sync.WaitGroup
	for _, s := range []*Sink{first, second} {
		all := frames(t, 1000)
		both.Go(func() {
			for batch := range slices.Chunk(all, 50) {
				if n, err := s.Send(batch); n != len(batch) || err != nil {
					t.Errorf("Send = %d, %v", n, err)
				}
			}
		})
	}
	both.Wait()
	first.Close()
	second.Close()
	if names := list(t, dir, suffix); len(names) != 3 {
		t.Errorf("%d files, want 3: %v", len(names), names)
	}
	if left := list(t, dir, partial); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
	if text := log.String(); strings.Contains(text, "WARN") || strings.Contains(text, "ERROR") {
		t.Error(text)
	}
}

type lockedWriter struct {
	mu *sync.Mutex
	*bytes.Buffer
}

func (w lockedWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.Buffer.Write(p)
}
