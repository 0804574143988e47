package config

import (
	"errors"
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

// Admin is the operators' HTTP server: health, metrics, console.
type Admin struct {
	// Listen is "ADDRESS:PORT", empty for no server ("off" in the file). Default
	// 127.0.0.1:8090.
	Listen string
}

// Limits bound what the appliance takes from its machine.
type Limits struct {
	// Sessions is how many sessions may be open at once. Default 100000.
	Sessions int
	// Memory is what the process may take, in octets. Default 0: what its control
	// group and the machine have.
	Memory uint64
	// Pending is how many sessions a client address may have that have not begun: its
	// handshake is not complete, or nothing was said. Default 0: no limit.
	Pending int
	// Overload is what happens to sessions for which there is no room. Default
	// refuse.
	Overload Overload
}

// Overload is what happens to sessions for which there is no memory, or no file
// descriptors.
type Overload string

const (
	RefuseOverload Overload = "refuse" // their connections are reset
	TunnelOverload Overload = "tunnel" // those that would be decrypted are tunneled, as long as there is room for that
)

func (r *reader) audit(n *node, a Audit, state string) Audit {
	t := r.table(n, "audit")
	resolve := parsePath(state)
	a.File = value(t, "file", a.File, func(s string) (string, error) {
		switch {
		case s == "stdout":
			return s, nil
		case strings.HasPrefix(s, "syslog:"):
			return "", errors.New("syslog is not available in this version")
		}
		return resolve(s)
	})
	a.Facts = value(t, "facts", a.Facts, parseBool)
	a.Queries = value(t, "queries", a.Queries, parseBool)
	t.close()
	return a
}

func (r *reader) admin(n *node, a Admin) Admin {
	t := r.table(n, "admin")
	a.Listen = value(t, "listen", a.Listen, func(s string) (string, error) {
		if s == "off" {
			return "", nil
		}
		return parseListen(s)
	})
	r.listens(t, "listen", "admin", a.Listen)
	t.close()
	return a
}

func (r *reader) limits(n *node, l Limits) Limits {
	t := r.table(n, "limits")
	l.Sessions = value(t, "sessions", l.Sessions, intNumber(1, 10_000_000))
	l.Memory = value(t, "memory", l.Memory, parseSize)
	if l.Memory > 0 && l.Memory < 64<<20 {
		r.fail(t.place("memory"), "memory: want at least 64MiB, or 0 for the limits of the machine")
	}
	l.Pending = value(t, "pending", l.Pending, intNumber(0, 10_000_000))
	l.Overload = value(t, "overload", l.Overload, oneOf(RefuseOverload, TunnelOverload))
	t.close()
	return l
}
