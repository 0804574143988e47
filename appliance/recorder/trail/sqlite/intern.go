package sqlite

import (
	"database/sql"
	"encoding/binary"
	"errors"
	"hash/fnv"
	"net/netip"
	"strings"

	"github.com/clearspan/clearspan/appliance/recorder/trail"
)

// numbers are those of a day that were used last: of strings, addresses and sessions.
type numbers struct {
	strs     map[string]int64
	addrs    map[netip.Addr]int64
	sessions map[trail.ID]knownSession
	shapes   map[combination]int64
	sorts    map[combination]int64
}

// knownSession is the number of a session, with its ends if its row is there.
type knownSession struct {
	n              int64
	client, server netip.AddrPort
}

// combination is values that come together.
type combination [10]int64

// Bounds of these.
const (
	maxNumbers  = 50_000 // of each
	maxInterned = 512    // octets of a string that is remembered
)

func newNumbers() *numbers {
	return &numbers{
		strs: make(map[string]int64), addrs: make(map[netip.Addr]int64), sessions: make(map[trail.ID]knownSession),
		shapes: make(map[combination]int64), sorts: make(map[combination]int64),
	}
}

// forget forgets all: what a transaction made that failed is not there.
func (k *numbers) forget() { *k = *newNumbers() }

// bound makes room.
func bound[K comparable, V any](m map[K]V) {
	if len(m) >= maxNumbers {
		clear(m)
	}
}

// lowerHash is the hash of a string in lower case, as table str has it.
func lowerHash(s string) int64 {
	h := fnv.New32a()
	h.Write([]byte(lower(s)))
	return int64(int32(h.Sum32()))
}

// lower is what "collate nocase" takes for the same: that of ASCII.
func lower(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			r += 'a' - 'A'
		}
		return r
	}, s)
}

// str returns the number of a string.
func (w *writer) str(s string) (n int64) {
	if s == "" || w.err != nil {
		return 0
	}
	if n, ok := w.known.strs[s]; ok {
		return n
	}
	h := lowerHash(s)
	n = w.numberOf("select n from str where h=? and s=?", "insert into str(h, s) values(?,?)", h, s)
	if len(s) <= maxInterned {
		bound(w.known.strs)
		w.known.strs[strings.Clone(s)] = n
	}
	return n
}

// addr returns the number of an address.
func (w *writer) addr(a netip.Addr) (n int64) {
	if !a.IsValid() || w.err != nil {
		return 0
	}
	if n, ok := w.known.addrs[a]; ok {
		return n
	}
	n = w.numberOf("select n from addr where a=?", "insert into addr(a) values(?)", a.Unmap().AsSlice())
	bound(w.known.addrs)
	w.known.addrs[a] = n
	return n
}

// session returns a session, whose row may not be there.
func (w *writer) session(id trail.ID) knownSession {
	k, ok := w.known.sessions[id]
	if ok || w.err != nil {
		return k
	}
	hi, lo := halves(id)
	k.n = w.numberOf(lookSession, "insert into session(hi, lo) values(?,?)", hi, lo)
	bound(w.known.sessions)
	w.known.sessions[id] = k
	return k
}

// combination returns the number of values that come together.
func (w *writer) combination(known map[combination]int64, look, insert string, values ...int64) int64 {
	var key combination
	copy(key[:], values)
	n, ok := known[key]
	if ok || w.err != nil {
		return n
	}
	args := make([]any, len(values))
	for i, v := range values {
		args[i] = v
	}
	n = w.numberOf(look, insert, args...)
	bound(known)
	known[key] = n
	return n
}

// numberOf returns the number of a row, which is made if it is not there.
func (w *writer) numberOf(look, insert string, key ...any) (n int64) {
	st := w.statement(look)
	if w.err != nil {
		return 0
	}
	err := st.QueryRowContext(w.ctx, key...).Scan(&n)
	if err == nil {
		return n
	}
	if !errors.Is(err, sql.ErrNoRows) {
		w.err = err
		return 0
	}
	if st = w.statement(insert); w.err != nil {
		return 0
	}
	r, err := st.ExecContext(w.ctx, key...)
	if w.err = err; err != nil {
		return 0
	}
	n, w.err = r.LastInsertId()
	return n
}

// halves returns a name as two numbers, whose order is that of names.
func halves(id trail.ID) (hi, lo int64) {
	return int64(binary.BigEndian.Uint64(id[:8])), int64(binary.BigEndian.Uint64(id[8:]) ^ 1<<63)
}

// idOf returns the name of two numbers.
func idOf(hi, lo int64) (id trail.ID) {
	binary.BigEndian.PutUint64(id[:8], uint64(hi))
	binary.BigEndian.PutUint64(id[8:], uint64(lo)^1<<63)
	return id
}

// shorten leaves the host out of a URI.
func shorten(uri, host string) string {
	if uri == "" {
		return ""
	}
	if host != "" {
		if rest, ok := strings.CutPrefix(uri, "http://"); ok {
			if rest, ok = strings.CutPrefix(rest, host); ok {
				return "h" + rest
			}
		}
		if rest, ok := strings.CutPrefix(uri, "https://"); ok {
			if rest, ok = strings.CutPrefix(rest, host); ok {
				return "s" + rest
			}
		}
	}
	return "-" + uri
}

// lengthen undoes shorten.
func lengthen(s, host string) string {
	switch {
	case s == "":
		return ""
	case s[0] == 'h':
		return "http://" + host + s[1:]
	case s[0] == 's':
		return "https://" + host + s[1:]
	}
	return s[1:]
}

// longURI is lengthen as an expression, of a column of event e.
func longURI(column string) string {
	host := "(select s from str where n=e.host)"
	return "(case substr(" + column + ",1,1) when 'h' then 'http://'||" + host + "||substr(" + column + ",2) when 's' then 'https://'||" + host + "||substr(" + column + ",2) else substr(" + column + ",2) end)"
}
