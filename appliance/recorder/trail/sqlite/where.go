package sqlite

import (
	"fmt"
	"math"
	"strings"

	"github.com/clearspan/clearspan/appliance/query"
	"github.com/clearspan/clearspan/appliance/recorder/trail"
)

// column is where a field of the language is: a column of a table, which is the event's or
// one whose rows belong to events.
type column struct {
	table string // "": event
	name  string
	where string // a condition beside
}

var columns = map[query.ID]column{
	trail.FieldAt: {name: "at"}, trail.FieldKind: {name: "kind"}, trail.FieldProtocol: {name: "protocol"},
	trail.FieldClient: {name: "client"}, trail.FieldServer: {name: "server"}, trail.FieldPort: {name: "sport"},
	trail.FieldMethod: {name: "method"}, trail.FieldHost: {name: "host"}, trail.FieldURI: {name: "uri"}, trail.FieldStatus: {name: "status"},
	trail.FieldAgent: {name: "agent"}, trail.FieldReferrer: {name: "referrer"}, trail.FieldSubject: {name: "subject"},
	trail.FieldMessageID: {name: "message_id"}, trail.FieldUser: {name: "user"}, trail.FieldOutcome: {name: "outcome"}, trail.FieldAnswers: {name: "answers"},
	trail.FieldUp: {name: "up"}, trail.FieldDown: {name: "down"}, trail.FieldType: {name: "type"}, trail.FieldFrom: {name: "sender"},
	trail.FieldTo: {"party", "address", "x.role<>1"}, trail.FieldRcpt: {"party", "address", "x.role=0"},
	trail.FieldName: {"sighting", "name", ""}, trail.FieldSize: {"sighting", "size", ""}, trail.FieldEnding: {"sighting", "ending", ""},
	trail.FieldFinding: {"finding", "detector", ""}, trail.FieldCount: {"finding", "count", ""}, trail.FieldScore: {"finding", "score", ""},
	trail.FieldRule: {"session", "rule", ""}, trail.FieldAudit: {"session", "audit", ""}, trail.FieldSNI: {"session", "sni", ""},
	trail.FieldALPN: {"session", "alpn", ""}, trail.FieldJA4: {"session", "ja4", ""}, trail.FieldVLAN: {"session", "vlan", ""}, trail.FieldSource: {"session", "source", ""},
}

// where is a condition on events, with its arguments.
type where struct {
	args []any
}

// condition writes a query as a condition on table event, which is called e.
func (w *where) condition(e *query.Expr) string { return trail.Condition(e, w.either) }

// either writes a term, with or without a field.
func (w *where) either(e *query.Expr) string {
	if e.Field == nil {
		return w.loose(e)
	}
	return w.term(e)
}

// arg adds an argument.
func (w *where) arg(v any) string {
	w.args = append(w.args, v)
	return "?"
}

// any joins alternatives.
func anyOf(parts []string) string {
	if len(parts) == 0 {
		return "0"
	}
	return "(" + strings.Join(parts, " or ") + ")"
}

// term writes a term with a field.
func (w *where) term(e *query.Expr) string {
	switch e.Field.ID {
	case trail.FieldID:
		return w.identifier("e.id", e.Texts, 16)
	case trail.FieldSession:
		return w.identifier("e.session", e.Texts, 16)
	case trail.FieldObject:
		return "e.id in (select x.event from sighting x where " + w.identifier("x.hash", e.Texts, 32) + ")"
	case trail.FieldText:
		return w.bodies(e)
	case trail.FieldDirection, trail.FieldSent, trail.FieldReceived:
		return w.direction(e)
	}
	c := columns[e.Field.ID]
	if c.table == "" {
		return w.compare("e."+c.name, e)
	}
	if c.table == "finding" || c.table == "party" { // few rows match, and an index finds them
		condition := w.compare("x."+c.name, e)
		if c.where != "" {
			condition = c.where + " and " + condition
		}
		return "e.id in (select x.event from " + c.table + " x where " + condition + ")"
	}
	link := "x.event=e.id"
	if c.table == "session" {
		link = "x.id=e.session"
	}
	if c.where != "" {
		link += " and " + c.where
	}
	return "exists(select 1 from " + c.table + " x where " + link + " and " + w.compare("x."+c.name, e) + ")"
}

// compare compares a column with the values of a term.
func (w *where) compare(column string, e *query.Expr) string {
	var parts []string
	for _, p := range e.Texts {
		parts = append(parts, w.text(column, p))
	}
	for _, n := range e.Nets {
		low, high := trail.Bounds(n.Prefix)
		s := column + " between " + w.arg(low[:]) + " and " + w.arg(high[:])
		if n.Port != 0 {
			port := "e.cport"
			if strings.HasSuffix(column, "server") {
				port = "e.sport"
			}
			s = "(" + s + " and " + port + "=" + w.arg(int64(n.Port)) + ")"
		}
		parts = append(parts, s)
	}
	for _, r := range e.Ranges {
		switch {
		case r.From == r.To:
			parts = append(parts, column+"="+w.arg(r.From))
		case r.From == math.MinInt64:
			parts = append(parts, column+"<="+w.arg(r.To))
		case r.To == math.MaxInt64:
			parts = append(parts, column+">="+w.arg(r.From))
		default:
			parts = append(parts, column+" between "+w.arg(r.From)+" and "+w.arg(r.To))
		}
	}
	return anyOf(parts)
}

// text compares a column with a pattern, without regard to case.
func (w *where) text(column string, p query.Pattern) string {
	switch {
	case len(p.Parts) == 1 && !p.Inside:
		return column + "=" + w.arg(p.Parts[0]) + " collate nocase"
	case len(p.Parts) == 2 && p.Parts[0] == "" && p.Parts[1] == "":
		return "(" + column + " is not null and " + column + "<>'')"
	}
	return column + " like " + w.arg(trail.Like(p)) + ` escape '\'`
}

// identifier compares a column of octets with hexadecimal digits, whole or their beginning.
func (w *where) identifier(column string, texts []query.Pattern, size int) string {
	var parts []string
	for _, p := range texts {
		low, high, ok := trail.Beginning(p.Parts[0], size)
		if !ok {
			continue
		}
		parts = append(parts, column+" between "+w.arg(low[:])+" and "+w.arg(high[:]))
	}
	return anyOf(parts)
}

// direction writes direction:sent, sent:true and received:true.
func (w *where) direction(e *query.Expr) string {
	var parts []string
	for _, p := range e.Texts {
		word := strings.Join(p.Parts, "*")
		want := trail.Sent
		exists := "exists"
		switch {
		case word == "received", e.Field.ID == trail.FieldReceived:
			want = trail.Received
		}
		if word == "false" {
			exists = "not exists"
		}
		parts = append(parts, fmt.Sprintf("%s(select 1 from sighting x where x.event=e.id and x.direction=%d)", exists, want))
	}
	return anyOf(parts)
}

// phrase writes the tokens of a pattern as a phrase of FTS5, "" if it has none.
func phrase(p query.Pattern) string {
	var b strings.Builder
	last := len(p.Parts) - 1
	for i, part := range p.Parts {
		tokens := trail.TokenText(part)
		if tokens == "" {
			continue
		}
		if b.Len() > 0 {
			b.WriteString(" AND ")
		}
		b.WriteString(`"` + tokens + `"`)
		if i < last {
			b.WriteString("*") // the last token is a beginning
		}
	}
	return b.String()
}

// loose writes words without a field: in the index of words, or as an address.
func (w *where) loose(e *query.Expr) string {
	var parts []string
	for _, p := range e.Texts {
		if f := phrase(p); f != "" {
			parts = append(parts, "e.n in (select rowid from words where words match "+w.arg(f)+")")
		}
	}
	for _, n := range e.Nets {
		low, high := trail.Bounds(n.Prefix)
		parts = append(parts, "e.client between "+w.arg(low[:])+" and "+w.arg(high[:]), "e.server between "+w.arg(low[:])+" and "+w.arg(high[:]))
	}
	return anyOf(parts)
}

// bodies writes text:… : words in what was sent, or in the event itself.
func (w *where) bodies(e *query.Expr) string {
	var parts []string
	for _, p := range e.Texts {
		f := phrase(p)
		if f == "" {
			continue
		}
		parts = append(parts,
			"e.id in (select x.event from sighting x where x.hash in (select hash from body where n in (select rowid from bodies where bodies match "+w.arg(f)+")))",
			"e.n in (select rowid from words where words match "+w.arg(f)+")")
	}
	return anyOf(parts)
}
