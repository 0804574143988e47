// Package query reads the query language in which operators ask for sessions:
//
//	client:10.1.0.0/16 host:*.example.com octets>1MB after:2026-11-01 -action:tunnel (a or b)
//
// Terms that stand side by side must all match. `or` and `and` join terms, `and` binds
// closer. `-` or `not` in front of a term or a group negates it. A term is a field, an
// operator (`:`, `=`, `!=`, `<`, `<=`, `>`, `>=`) and a value. Commas separate several
// values, one of which is enough. A value with blanks, commas or brackets stands in
// quotes. A word without a field looks into names and addresses.
//
// The package knows the fields, see [Fields], and the language. It knows no sessions: rows
// are what implements [Row].
package query
