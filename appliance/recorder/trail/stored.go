package trail

import (
	"encoding/binary"
	"encoding/hex"
	"math"
	"net/netip"
	"strings"

	"github.com/clearspan/clearspan/appliance/query"
)

// What stores have in common: how they keep values, and how they read queries.

// PackHoles writes holes as pairs of variable-length numbers.
func PackHoles(holes []Hole) []byte {
	p := []byte{}
	for _, h := range holes {
		p = binary.AppendUvarint(binary.AppendUvarint(p, h.At), h.Size)
	}
	return p
}

// UnpackHoles reads what [PackHoles] wrote. It ends at what is no such pair.
func UnpackHoles(p []byte) (holes []Hole) {
	for len(p) > 0 {
		at, n := binary.Uvarint(p)
		if n <= 0 {
			return holes
		}
		size, m := binary.Uvarint(p[n:])
		if m <= 0 {
			return holes
		}
		holes = append(holes, Hole{At: at, Size: size})
		p = p[n+m:]
	}
	return holes
}

// Bounds returns the first and the last address of a prefix, IPv4 as in IPv6.
func Bounds(p netip.Prefix) (low, high [16]byte) {
	first := p.Masked().Addr()
	bits := p.Bits()
	if first.Is4() {
		bits += 96
	}
	low = first.As16()
	high = low
	for i := bits; i < 128; i++ {
		high[i/8] |= 1 << (7 - i%8)
	}
	return low, high
}

// Times returns the times that a query allows at most, in nanoseconds since 1970.
func Times(e *query.Expr) (from, to int64) {
	from, to = math.MinInt64, math.MaxInt64
	if e == nil {
		return from, to
	}
	switch {
	case e.Op == query.All:
		for _, s := range e.Sub {
			a, b := Times(s)
			from, to = max(from, a), min(to, b)
		}
	case e.Op == query.Term && e.Field != nil && e.Field.ID == FieldAt && len(e.Ranges) == 1:
		from, to = e.Ranges[0].From, e.Ranges[0].To
	}
	return from, to
}

// OnlyTimes reports whether a query asks for nothing but a range of times, that of [Times].
func OnlyTimes(e *query.Expr) bool {
	if e == nil {
		return true
	}
	if e.Op == query.All {
		for _, s := range e.Sub {
			if !OnlyTimes(s) {
				return false
			}
		}
		return true
	}
	return e.Op == query.Term && e.Field != nil && e.Field.ID == FieldAt && len(e.Ranges) == 1 && len(e.Texts) == 0
}

// Condition writes a query as a condition of SQL, of what term writes for each of its terms.
func Condition(e *query.Expr, term func(*query.Expr) string) string {
	if e == nil {
		return "1"
	}
	switch e.Op {
	case query.All, query.Either:
		parts := make([]string, len(e.Sub))
		for i, s := range e.Sub {
			parts[i] = Condition(s, term)
		}
		by := " and "
		if e.Op == query.Either {
			by = " or "
		}
		return "(" + strings.Join(parts, by) + ")"
	case query.Not:
		return "not (" + Condition(e.Sub[0], term) + ")"
	}
	return term(e)
}

var likeEscape = strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`)

// Like writes a pattern for LIKE, with a backslash in front of what means itself.
func Like(p query.Pattern) string {
	var b strings.Builder
	for i, part := range p.Parts {
		if i > 0 || p.Inside {
			b.WriteByte('%')
		}
		b.WriteString(likeEscape.Replace(part))
	}
	if p.Inside {
		b.WriteByte('%')
	}
	return b.String()
}

// Beginning returns the least and the greatest octets of a length whose hexadecimal digits
// begin with digits. It returns false if these are none, or too many.
func Beginning(digits string, size int) (low, high []byte, ok bool) {
	missing := max(2*size-len(digits), 0)
	low, err := hex.DecodeString(digits + strings.Repeat("0", missing))
	if err != nil || len(low) != size {
		return nil, nil, false
	}
	high, err = hex.DecodeString(digits + strings.Repeat("f", missing))
	return low, high, err == nil
}
