package recorder

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
)

// TestPersist: rows that are refused are tried again, and told of once. A recorder that is to
// end gives up.
func TestPersist(t *testing.T) {
	var log bytes.Buffer
	w := &analysis{Recorder: &Recorder{cfg: Config{Log: slog.New(slog.NewTextHandler(&log, nil))}}}
	full := errors.New("no space left on device")
	tries := 0
	err := w.persist(t.Context(), func() error {
		if tries++; tries < 3 {
			return full
		}
		return nil
	})
	if err != nil || tries != 3 || strings.Count(log.String(), "the analysis waits") != 1 {
		t.Errorf("%v after %d tries\n%s", err, tries, log.String())
	}
	stopping, stop := context.WithCancel(t.Context())
	stop()
	if err := w.persist(stopping, func() error { return full }); !errors.Is(err, full) {
		t.Errorf("%v", err)
	}
}
