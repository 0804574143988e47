package recorder

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/clearspan/clearspan/appliance/recorder/trail"
	"github.com/clearspan/clearspan/appliance/recorder/trail/clickhouse"
	"github.com/clearspan/clearspan/appliance/recorder/trail/sqlite"
)

const (
	trailDir = "trail" // of SQLite
	spoolDir = "spool" // of batches that a server has not got yet
)

// openTrail opens the trail of a directory. where is the URL of a server, or a file that has
// it, so that a password in it is not on a command line; "": a directory in dir.
func openTrail(dir, where string) (trail.Store, error) {
	switch {
	case where == "":
		return sqlite.Open(filepath.Join(dir, trailDir))
	case !strings.Contains(where, "://"):
		text, err := os.ReadFile(where)
		if err != nil {
			return nil, fmt.Errorf("the URL of the trail: %w", err)
		}
		where = strings.TrimSpace(string(text))
	}
	return clickhouse.Open(clickhouse.Config{URL: where, Spool: filepath.Join(dir, spoolDir)})
}

// waiting returns how many batches a server has not got yet, and why the last one failed.
func waiting(t trail.Store) (batches int, why string) {
	w, ok := t.(interface{ Waiting() (int, int64, error) })
	if !ok {
		return 0, ""
	}
	batches, _, err := w.Waiting()
	if err != nil {
		why = "trail: " + err.Error()
	}
	return batches, why
}
