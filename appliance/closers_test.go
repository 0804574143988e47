package appliance

import (
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestClosers: parts end in reverse, once, whatever becomes of the others.
func TestClosers(t *testing.T) {
	var c closers
	var ended []string
	full := errors.New("disk is full")
	for _, part := range []string{"audit log", "mirror files", "intake proxy"} {
		c.push(part, func() error {
			ended = append(ended, part)
			if part == "mirror files" {
				return full
			}
			return nil
		})
	}
	var log strings.Builder
	debug := slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	err := c.close(debug)
	if !errors.Is(err, full) || err.Error() != "close mirror files: disk is full" {
		t.Errorf("error %v", err)
	}
	if diff := cmp.Diff([]string{"intake proxy", "mirror files", "audit log"}, ended); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
	if strings.Count(log.String(), "msg=closing") != 3 || !strings.Contains(log.String(), `part="intake proxy"`) {
		t.Errorf("log:\n%s", log.String())
	}
	if err := c.close(debug); err != nil || len(ended) != 3 {
		t.Errorf("closed again: %v, %v", ended, err)
	}
}
