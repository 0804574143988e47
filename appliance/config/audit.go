package config

import (
	"errors"
	"path/filepath"
	"strings"

	"github.com/clearspan/clearspan/appliance/audit"
	"github.com/clearspan/clearspan/appliance/facts"
)

// Audit is where the entries of sessions go.
type Audit struct {
	audit.Options
	// Facts has entries say what was requested and mailed. Default true.
	Facts   bool
	Content facts.Options // of these
}

// audit reads n; relative paths start at state.
func (r *reader) audit(n *node, state string) (a Audit) {
	t := r.table(n, "audit")
	resolve := parsePath(state)
	a.File = value(t, "file", filepath.Join(state, "sessions.jsonl"), func(s string) (string, error) {
		switch {
		case s == "stdout":
			return s, nil
		case strings.HasPrefix(s, "syslog:"):
			return "", errors.New("syslog is not available in this version")
		}
		return resolve(s)
	})
	t.fill("audit", "", &a, &a.Content)
	t.close()
	return a
}
