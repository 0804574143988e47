package clickhouse

import (
	"encoding/hex"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/clearspan/clearspan/appliance/query"
	"github.com/clearspan/clearspan/appliance/recorder/trail"
)

// column is where a field of the language is: in a table, whose rows belong to events.
type column struct {
	table string // "": event
	name  string
}

var columns = map[query.ID]column{
	trail.FieldAt: {"", "at"}, trail.FieldKind: {"", "kind"}, trail.FieldProtocol: {"", "protocol"},
	trail.FieldClient: {"", "client"}, trail.FieldServer: {"", "server"}, trail.FieldPort: {"", "sport"},
	trail.FieldMethod: {"", "method"}, trail.FieldHost: {"", "host"}, trail.FieldURI: {"", "uri"}, trail.FieldStatus: {"", "status"},
	trail.FieldAgent: {"", "agent"}, trail.FieldReferrer: {"", "referrer"}, trail.FieldSubject: {"", "subject"},
	trail.FieldMessageID: {"", "message_id"}, trail.FieldUser: {"", "user"}, trail.FieldOutcome: {"", "outcome"}, trail.FieldAnswers: {"", "answers"},
	trail.FieldUp: {"", "up"}, trail.FieldDown: {"", "down"}, trail.FieldType: {"", "type"},
	trail.FieldName: {"sighting", "name"}, trail.FieldSize: {"sighting", "size"}, trail.FieldEnding: {"sighting", "ending"},
	trail.FieldFinding: {"finding", "detector"}, trail.FieldCount: {"finding", "count"}, trail.FieldScore: {"finding", "score"},
	trail.FieldRule: {"session", "rule"}, trail.FieldAudit: {"session", "audit"}, trail.FieldSNI: {"session", "sni"},
	trail.FieldALPN: {"session", "alpn"}, trail.FieldJA4: {"session", "ja4"}, trail.FieldVLAN: {"session", "vlan"}, trail.FieldSource: {"session", "source"},
}

// where writes conditions on events of some days.
type where struct{ from, to uint32 }

// text writes a value into a statement.
func text(s string) string { return "unhex('" + hex.EncodeToString([]byte(s)) + "')" }

// fixed writes octets into a statement, for a column of their number.
func fixed(b []byte) string { return fmt.Sprintf("toFixedString(unhex('%x'),%d)", b, len(b)) }

func number(n int64) string { return "toInt64(" + strconv.FormatInt(n, 10) + ")" }

// days bounds the partitions of a table whose rows belong to events.
func (w where) days() string { return fmt.Sprintf("day>=%d and day<=%d", w.from, w.to) }

// condition writes a query as a condition on table event.
func (w where) condition(e *query.Expr) string { return trail.Condition(e, w.either) }

// either writes a term, with or without a field.
func (w where) either(e *query.Expr) string {
	if e.Field == nil {
		return w.loose(e)
	}
	return w.term(e)
}

func anyOf(parts []string) string {
	if len(parts) == 0 {
		return "0"
	}
	return "(" + strings.Join(parts, " or ") + ")"
}

// term writes a term with a field.
func (w where) term(e *query.Expr) string {
	switch e.Field.ID {
	case trail.FieldID:
		return identifier("id", e.Texts, 16)
	case trail.FieldSession:
		return identifier("session", e.Texts, 16)
	case trail.FieldObject:
		return w.in("sighting", identifier("hash", e.Texts, 32))
	case trail.FieldText:
		return w.bodies(e)
	case trail.FieldDirection, trail.FieldSent, trail.FieldReceived:
		return w.direction(e)
	case trail.FieldFrom:
		return "(" + compare("sender", e) + " or arrayExists((a,r)->(r=1 and " + compare("a", e) + "),parties,roles))"
	case trail.FieldTo:
		return "arrayExists((a,r)->(r<>1 and " + compare("a", e) + "),parties,roles)"
	case trail.FieldRcpt:
		return "arrayExists((a,r)->(r=0 and " + compare("a", e) + "),parties,roles)"
	}
	c := columns[e.Field.ID]
	return w.in(c.table, compare(c.name, e))
}

// in writes that an event has a row of a table.
func (w where) in(table, condition string) string {
	switch table {
	case "":
		return condition
	case "session": // which began on that day or earlier
		return fmt.Sprintf("session in (select id from session where day<=%d and %s)", w.to, condition)
	}
	return "id in (select event from " + table + " where " + w.days() + " and " + condition + ")"
}

// compare compares a column with the values of a term.
func compare(column string, e *query.Expr) string {
	var parts []string
	for _, p := range e.Texts {
		parts = append(parts, match(column, p))
	}
	for _, n := range e.Nets {
		parts = append(parts, network(column, n))
	}
	for _, r := range e.Ranges {
		parts = append(parts, span(column, r))
	}
	return anyOf(parts)
}

func network(column string, n query.Net) string {
	low, high := trail.Bounds(n.Prefix)
	s := "(" + column + ">=" + fixed(low[:]) + " and " + column + "<=" + fixed(high[:])
	if n.Port != 0 {
		port := "cport"
		if column == "server" {
			port = "sport"
		}
		s += " and " + port + "=" + number(int64(n.Port))
	}
	return s + ")"
}

func span(column string, r query.Range) string {
	switch {
	case r.From == r.To:
		return column + "=" + number(r.From)
	case r.From == math.MinInt64:
		return column + "<=" + number(r.To)
	case r.To == math.MaxInt64:
		return column + ">=" + number(r.From)
	}
	return "(" + column + ">=" + number(r.From) + " and " + column + "<=" + number(r.To) + ")"
}

// match compares a column with a pattern, without regard to case.
func match(column string, p query.Pattern) string {
	lower := "lowerUTF8(" + column + ")"
	switch {
	case p.Inside && len(p.Parts) == 1:
		return "position(" + lower + "," + text(p.Parts[0]) + ")>0"
	case len(p.Parts) == 1:
		return lower + "=" + text(p.Parts[0])
	case len(p.Parts) == 2 && p.Parts[0] == "" && p.Parts[1] == "":
		return column + "<>''"
	}
	return lower + " like " + text(trail.Like(p))
}

// identifier compares a column of octets with hexadecimal digits, whole or their beginning.
func identifier(column string, texts []query.Pattern, size int) string {
	var parts []string
	for _, p := range texts {
		low, high, ok := trail.Beginning(p.Parts[0], size)
		if !ok {
			continue
		}
		parts = append(parts, "("+column+">="+fixed(low)+" and "+column+"<="+fixed(high)+")")
	}
	return anyOf(parts)
}

// direction writes direction:sent, sent:true and received:true.
func (w where) direction(e *query.Expr) string {
	var parts []string
	for _, p := range e.Texts {
		word := strings.Join(p.Parts, "*")
		want := trail.Sent
		if word == "received" || e.Field.ID == trail.FieldReceived {
			want = trail.Received
		}
		part := w.in("sighting", fmt.Sprintf("direction=%d", want))
		if word == "false" {
			part = "not (" + part + ")"
		}
		parts = append(parts, part)
	}
	return anyOf(parts)
}

// phrase writes that the tokens of a pattern stand next to each other; "" if it has none.
func phrase(p query.Pattern) string {
	var parts []string
	last := len(p.Parts) - 1
	for i, part := range p.Parts {
		tokens := trail.TokenText(part)
		if tokens == "" {
			continue
		}
		tokens = " " + tokens
		if i == last {
			tokens += " " // otherwise the last token is a beginning
		}
		parts = append(parts, "position(words,"+text(tokens)+")>0")
	}
	if len(parts) == 0 {
		return ""
	}
	return "(" + strings.Join(parts, " and ") + ")"
}

// loose writes words without a field, which may be an address.
func (w where) loose(e *query.Expr) string {
	var parts []string
	for _, p := range e.Texts {
		if f := phrase(p); f != "" {
			parts = append(parts, f)
		}
	}
	for _, n := range e.Nets {
		n.Port = 0
		parts = append(parts, network("client", n), network("server", n))
	}
	return anyOf(parts)
}

// bodies writes text:… : words in what was sent, or in the event itself.
func (w where) bodies(e *query.Expr) string {
	var parts []string
	for _, p := range e.Texts {
		if f := phrase(p); f != "" {
			parts = append(parts, f, w.in("sighting", "hash in (select hash from contents where "+f+")"))
		}
	}
	return anyOf(parts)
}
