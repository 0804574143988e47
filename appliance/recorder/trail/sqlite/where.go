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
	how   keeping
	where string // a condition beside
}

// keeping is how a column has its values.
type keeping uint8

const (
	plain    keeping = iota
	interned         // numbers of table str
	counted          // numbers of table addr
	shortURI
)

var columns = map[query.ID]column{
	trail.FieldAt: {name: "hi"}, trail.FieldKind: {"shape", "kind", interned, ""}, trail.FieldProtocol: {"shape", "protocol", interned, ""},
	trail.FieldClient: {name: "client", how: counted}, trail.FieldServer: {name: "server", how: counted}, trail.FieldPort: {name: "sport", how: counted},
	trail.FieldMethod: {"shape", "method", interned, ""}, trail.FieldHost: {name: "host", how: interned}, trail.FieldURI: {name: "uri", how: shortURI}, trail.FieldStatus: {"shape", "status", plain, ""},
	trail.FieldAgent: {name: "agent", how: interned}, trail.FieldReferrer: {name: "referrer", how: shortURI}, trail.FieldSubject: {name: "subject"},
	trail.FieldMessageID: {name: "message_id"}, trail.FieldUser: {name: "user", how: interned}, trail.FieldOutcome: {"shape", "outcome", interned, ""}, trail.FieldAnswers: {name: "answers"},
	trail.FieldUp: {name: "up"}, trail.FieldDown: {name: "down"}, trail.FieldType: {"shape", "type", interned, ""},
	trail.FieldTo: {"party", "address", interned, "x.role<>1"}, trail.FieldRcpt: {"party", "address", interned, "x.role=0"},
	trail.FieldName: {"sighting", "name", plain, ""}, trail.FieldSize: {"sighting", "size", plain, ""}, trail.FieldEnding: {"sighting", "ending", interned, ""},
	trail.FieldFinding: {"finding", "detector", interned, ""}, trail.FieldCount: {"finding", "count", plain, ""}, trail.FieldScore: {"finding", "score", plain, ""},
	trail.FieldRule: {"sort", "rule", interned, ""}, trail.FieldAudit: {"session", "audit", plain, ""}, trail.FieldSNI: {"session", "sni", interned, ""},
	trail.FieldALPN: {"sort", "alpn", interned, ""}, trail.FieldJA4: {"session", "ja4", interned, ""}, trail.FieldVLAN: {"sort", "vlan", plain, ""}, trail.FieldSource: {"sort", "source", interned, ""},
}

// sender and header are where the senders of a mail are.
var (
	sender = column{name: "sender", how: interned}
	header = column{"party", "address", interned, "x.role=1"}
)

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
		return w.names("e", e.Texts)
	case trail.FieldSession:
		return "e.n in (select y.n from session x join event y on y.hi between x.hi and " + ending + " and y.session=x.n where " + w.names("x", e.Texts) + ")"
	case trail.FieldObject:
		return "e.n in (select x.event from sighting x where " + w.hashes("x.hash", e.Texts) + ")"
	case trail.FieldText:
		return w.bodies(e)
	case trail.FieldFrom:
		return "(" + w.column(sender, e) + " or " + w.column(header, e) + ")"
	case trail.FieldDirection, trail.FieldSent, trail.FieldReceived:
		return w.direction(e)
	}
	return w.column(columns[e.Field.ID], e)
}

// ofEnds are columns that an event has, or else its session.
var ofEnds = map[string]string{"client": clientOf, "server": serverOf, "sport": sportOf}

// ending is when the last event of session x may have been: two hours behind its last packet,
// when what waited for further parts is given up. That of a session of another day is not known.
const ending = "(x.hi+ifnull(x.lasts, 1<<60)+7200000000000)"

// column compares a column with the values of a term.
func (w *where) column(c column, e *query.Expr) string {
	switch {
	case c.how == counted:
		return w.compare(ofEnds[c.name], c.how, e)
	case c.table == "":
		return w.compare("e."+c.name, c.how, e)
	}
	beside := ""
	if c.where != "" {
		beside = c.where + " and "
	}
	condition := w.compare("x."+c.name, c.how, e)
	switch c.table {
	case "finding", "party": // few rows match, and an index finds them
		return "e.n in (select x.event from " + c.table + " x where " + beside + condition + ")"
	case "shape":
		return "e.shape in (select x.n from shape x where " + condition + ")"
	case "sort":
		return "s.sort in (select x.n from sort x where " + condition + ")"
	case "session":
		return "exists(select 1 from session x where x.n=e.session and " + beside + condition + ")"
	}
	return "exists(select 1 from " + c.table + " x where x.event=e.n and " + beside + condition + ")"
}

// compare compares a column with the values of a term.
func (w *where) compare(column string, how keeping, e *query.Expr) string {
	var parts []string
	for _, p := range e.Texts {
		parts = append(parts, w.text(column, how, p))
	}
	for _, n := range e.Nets {
		parts = append(parts, w.net(column, n))
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

// net compares a column of addresses with a prefix. One address is looked up in the index.
func (w *where) net(column string, n query.Net) string {
	first := n.Prefix.Masked().Addr()
	low, high := trail.Bounds(n.Prefix)
	from, to := low[:], high[:]
	if first.Is4() {
		from, to = low[12:], high[12:]
	}
	s := fmt.Sprintf("%s in (select n from addr where a between %s and %s and length(a)=%d)", column, w.arg(from), w.arg(to), len(from))
	server := column == serverOf
	if n.Prefix.IsSingleIP() {
		which := byte('c')
		if server {
			which = 's'
		}
		s = "(" + s + " and " + w.matching(addressKey(which, first)) + ")"
	}
	if n.Port != 0 {
		port := cportOf
		if server {
			port = sportOf
		}
		s = "(" + s + " and " + port + "=" + w.arg(int64(n.Port)) + ")"
	}
	return s
}

// matching is true for events that have a token.
func (w *where) matching(token string) string {
	return "e.n in (select rowid from words where words match " + w.arg(`"`+token+`"`) + ")"
}

// text compares a column with a pattern, without regard to case.
func (w *where) text(column string, how keeping, p query.Pattern) string {
	equal := len(p.Parts) == 1 && !p.Inside
	anything := len(p.Parts) == 2 && p.Parts[0] == "" && p.Parts[1] == ""
	switch {
	case how == interned && anything:
		return column + "<>0"
	case column == "e.host" && equal && p.Parts[0] != "":
		return "(e.host in (select n from str where h=" + w.arg(lowerHash(p.Parts[0])) + " and s=" + w.arg(p.Parts[0]) + " collate nocase) and " + w.matching(hostKey(p.Parts[0])) + ")"
	case how == interned && equal:
		return column + " in (select n from str where h=" + w.arg(lowerHash(p.Parts[0])) + " and s=" + w.arg(p.Parts[0]) + " collate nocase)"
	case how == interned:
		return column + " in (select n from str where s like " + w.arg(trail.Like(p)) + ` escape '\')`
	case anything:
		return "(" + column + " is not null and " + column + "<>'')"
	case how == shortURI:
		column = longURI(column)
	}
	if equal {
		return column + "=" + w.arg(p.Parts[0]) + " collate nocase"
	}
	return column + " like " + w.arg(trail.Like(p)) + ` escape '\'`
}

// names compares the name of a row with hexadecimal digits, whole or their beginning.
func (w *where) names(table string, texts []query.Pattern) string {
	var parts []string
	for _, p := range texts {
		low, high, ok := trail.Beginning(p.Parts[0], 16)
		if !ok {
			continue
		}
		fromHi, fromLo := halves(trail.ID(low))
		toHi, toLo := halves(trail.ID(high))
		name := "(" + table + ".hi," + table + ".lo)"
		if fromHi == toHi && fromLo == toLo {
			parts = append(parts, "("+table+".hi="+w.arg(fromHi)+" and "+table+".lo="+w.arg(fromLo)+")")
			continue
		}
		parts = append(parts, "("+name+">=("+w.arg(fromHi)+","+w.arg(fromLo)+") and "+name+"<=("+w.arg(toHi)+","+w.arg(toLo)+"))")
	}
	return anyOf(parts)
}

// hashes compares a column of hashes with hexadecimal digits, whole or their beginning.
func (w *where) hashes(column string, texts []query.Pattern) string {
	var parts []string
	for _, p := range texts {
		low, high, ok := trail.Beginning(p.Parts[0], 32)
		if !ok {
			continue
		}
		parts = append(parts, "(substr("+column+",1,6) between "+w.arg(low[:hashBegin])+" and "+w.arg(high[:hashBegin])+" and "+column+" between "+w.arg(low)+" and "+w.arg(high)+")")
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
		parts = append(parts, fmt.Sprintf("%s(select 1 from sighting x where x.event=e.n and x.direction=%d)", exists, want))
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
		n.Port = 0
		parts = append(parts, w.net(clientOf, n), w.net(serverOf, n))
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
			"e.n in (select x.event from body y join sighting x on substr(x.hash,1,6)=substr(y.hash,1,6) and x.hash=y.hash where y.n in (select rowid from bodies where bodies match "+w.arg(f)+"))",
			"e.n in (select rowid from words where words match "+w.arg(f)+")")
	}
	return anyOf(parts)
}
