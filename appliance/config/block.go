package config

import "github.com/clearspan/clearspan/decrypt"

// Refusal is what clients of refused sessions get: those that a rule terminates,
// and those whose origin is blocked.
type Refusal struct {
	decrypt.RefusalOptions
	// Page is the file of a template (html/template) in place of the built-in
	// page; empty for that.
	Page string
}

func (r *reader) block(n *node) (b Refusal) {
	t := r.table(n, "block")
	b.Page = value(t, "page", "", parseFile(r.dir))
	t.fill("block", "", &b)
	if b.Answer == decrypt.ResetRefused && (b.HTTPS || b.Page != "") {
		r.fail(t.place("answer"), "answer: reset sends no page: remove page and https, or write answer: tell")
	}
	t.close()
	return b
}
