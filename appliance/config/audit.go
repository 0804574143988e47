package config

import (
	"errors"
	"path/filepath"
	"strings"
)

// Audit is where the entries of sessions go.
type Audit struct {
	// File is a path, or "stdout". A relative path is relative to the state
	// directory. Default STATE/sessions.jsonl.
	File string
	// Facts has entries say what was requested and mailed. Default true.
	Facts bool
	// Queries keeps the queries of requests in that. Default false: they hold
	// tokens and passwords.
	Queries bool
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
	t.fill("audit", "", &a)
	t.close()
	return a
}
