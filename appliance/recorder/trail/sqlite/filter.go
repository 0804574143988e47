package sqlite

import (
	"context"
	"database/sql"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"hash/fnv"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/clearspan/clearspan/appliance/query"
	"github.com/clearspan/clearspan/appliance/recorder/trail"
)

// A filter says of a day that is over which tokens, hashes and strings it cannot have (a Bloom filter:
// one in a hundred that it does not have passes). A question for one of them opens only the files
// of days that may have it. It lies in DATE.filter, beside the file of the day, and goes when
// rows come to that day again.
//
// The file has a magic number, the number of bits, their CRC-32 (Castagnoli), and the bits.

const (
	filterExtension = ".filter"
	filterMagic     = "csbloom\x02"
	filterHead      = len(filterMagic) + 8 + 4
	bitsPerKey      = 10
	probes          = 7
	maxFilter       = 1 << 31 // bits
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// hashKey is the key of an object.
func hashKey(begin []byte) string { return keyMark + "o" + hex.EncodeToString(begin[:hashBegin]) }

// strKey is the key of strings that have numbers: users, addresses of mail, detectors and others.
func strKey(s string) string { return fmt.Sprintf("%si%08x", keyMark, uint32(lowerHash(s))) }

// probesOf calls f with the bits of a key.
func probesOf(key string, bits uint64, f func(bit uint64) bool) bool {
	h := fnv.New64a()
	h.Write([]byte(key))
	sum := h.Sum64()
	step := sum>>33 | 1
	for range probes {
		if !f(sum % bits) {
			return false
		}
		sum += step * 0x9e3779b97f4a7c15
	}
	return true
}

func (s *Store) filterFile(date string) string { return filepath.Join(s.dir, date+filterExtension) }

// buildFilter writes the filter of a day.
func (s *Store) buildFilter(ctx context.Context, db *sql.DB, date string) error {
	c, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	const from = `select term from temp.terms_of_words union all select term from temp.terms_of_bodies`
	for _, text := range []string{
		"create virtual table if not exists temp.terms_of_words using fts5vocab('main','words','row')",
		"create virtual table if not exists temp.terms_of_bodies using fts5vocab('main','bodies','row')",
	} {
		if _, err := c.ExecContext(ctx, text); err != nil {
			return err
		}
	}
	var keys uint64
	if err := c.QueryRowContext(ctx, "select (select count(*) from temp.terms_of_words)+(select count(*) from temp.terms_of_bodies)+(select count(*) from sighting)+(select count(*) from str)").Scan(&keys); err != nil {
		return err
	}
	bits := min(max(keys*bitsPerKey, 1024)/8*8, maxFilter)
	p := make([]byte, bits/8)
	set := func(key string) {
		probesOf(key, bits, func(bit uint64) bool { p[bit/8] |= 1 << (bit % 8); return true })
	}
	if err := eachValue(ctx, c, from, func(v []byte) { set(string(v)) }); err != nil {
		return err
	}
	if err := eachValue(ctx, c, "select s from str", func(v []byte) { set(strKey(string(v))) }); err != nil {
		return err
	}
	if err := eachValue(ctx, c, "select distinct substr(hash,1,6) from sighting", func(v []byte) {
		if len(v) == hashBegin {
			set(hashKey(v))
		}
	}); err != nil {
		return err
	}
	head := binary.LittleEndian.AppendUint64([]byte(filterMagic), bits)
	head = binary.LittleEndian.AppendUint32(head, crc32.Checksum(p, castagnoli))
	part := s.filterFile(date) + ".part"
	if err := os.WriteFile(part, append(head, p...), 0o600); err != nil {
		return err
	}
	return os.Rename(part, s.filterFile(date))
}

// eachValue calls f with the values of one column.
func eachValue(ctx context.Context, c *sql.Conn, text string, f func([]byte)) error {
	rows, err := c.QueryContext(ctx, text)
	if err != nil {
		return err
	}
	defer rows.Close()
	var v sql.RawBytes
	for rows.Next() {
		if err := rows.Scan(&v); err != nil {
			return err
		}
		f(v)
	}
	return rows.Err()
}

// dropFilter removes the filter of a day, to which rows come.
func (s *Store) dropFilter(date string) error {
	if err := os.Remove(s.filterFile(date)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// filter is one that is open; nil lets everything pass.
type filter struct {
	f    *os.File
	bits uint64
}

// openFilter opens the filter of a day. What is no filter lets everything pass.
func (s *Store) openFilter(date string) *filter {
	f, err := os.Open(s.filterFile(date))
	if err != nil {
		return nil
	}
	head := make([]byte, filterHead)
	info, err := f.Stat()
	if err == nil {
		_, err = f.ReadAt(head, 0)
	}
	bits := binary.LittleEndian.Uint64(head[len(filterMagic):])
	if err != nil || string(head[:len(filterMagic)]) != filterMagic || bits == 0 || bits > maxFilter || info.Size() != int64(filterHead)+int64(bits/8) {
		f.Close()
		return nil
	}
	return &filter{f, bits}
}

func (f *filter) close() {
	if f != nil {
		f.f.Close()
	}
}

// may reports whether the day may have a key.
func (f *filter) may(key string) bool {
	if f == nil || key == "" {
		return true
	}
	var p [1]byte
	return probesOf(key, f.bits, func(bit uint64) bool {
		if _, err := f.f.ReadAt(p[:], int64(filterHead)+int64(bit/8)); err != nil {
			return true
		}
		return p[0]&(1<<(bit%8)) != 0
	})
}

// matches reports whether the day may have what a query asks for.
func (f *filter) matches(e *query.Expr) bool {
	if f == nil || e == nil {
		return true
	}
	switch e.Op {
	case query.All:
		for _, s := range e.Sub {
			if !f.matches(s) {
				return false
			}
		}
		return true
	case query.Either:
		for _, s := range e.Sub {
			if f.matches(s) {
				return true
			}
		}
		return len(e.Sub) == 0
	case query.Not:
		return true
	}
	return f.term(e)
}

// term is matches for a term: one of its values must be possible.
func (f *filter) term(e *query.Expr) bool {
	if len(e.Ranges) > 0 {
		return true
	}
	for _, p := range e.Texts {
		if f.text(e.Field, p) {
			return true
		}
	}
	for _, n := range e.Nets {
		a := n.Prefix.Masked().Addr()
		switch {
		case !n.Prefix.IsSingleIP(), e.Field == nil && (f.may(addressKey('c', a)) || f.may(addressKey('s', a))):
			return true
		case e.Field != nil && e.Field.ID == trail.FieldClient && f.may(addressKey('c', a)), e.Field != nil && e.Field.ID == trail.FieldServer && f.may(addressKey('s', a)):
			return true
		}
	}
	return false
}

// text is term for one text.
func (f *filter) text(field *query.Field, p query.Pattern) bool {
	whole := len(p.Parts) == 1
	switch {
	case field == nil || field.ID == trail.FieldText:
		return f.tokens(p)
	case field.ID == trail.FieldHost && whole && !p.Inside:
		return f.may(hostKey(p.Parts[0]))
	case field.ID == trail.FieldFrom, columns[field.ID].how == interned:
		return !whole || p.Inside || p.Parts[0] == "" || f.may(strKey(p.Parts[0]))
	case field.ID == trail.FieldObject && len(p.Parts[0]) >= 2*hashBegin:
		begin, err := hex.DecodeString(p.Parts[0][:2*hashBegin])
		return err == nil && f.may(hashKey(begin))
	}
	return true
}

// tokens reports whether all tokens of a pattern are possible, as [phrase] asks for them.
func (f *filter) tokens(p query.Pattern) bool {
	last := len(p.Parts) - 1
	for i, part := range p.Parts {
		list := strings.Fields(trail.TokenText(part))
		if i < last && len(list) > 0 {
			list = list[:len(list)-1] // a beginning
		}
		for _, token := range list {
			if !f.may(token) {
				return false
			}
		}
	}
	return true
}
