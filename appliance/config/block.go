package config

import (
	"github.com/clearspan/clearspan/appliance/blockpage"
	"github.com/clearspan/clearspan/decrypt"
)

// Refusal is what clients of refused sessions get: those that a rule terminates,
// and those whose origin is blocked.
type Refusal struct {
	decrypt.RefusalOptions
	blockpage.Options
}

func (r *reader) block(n *node) (b Refusal) {
	t := r.table(n, "block")
	b.Page = value(t, "page", "", parseFile(r.dir))
	t.fill("block", "", &b)
	if b.Answer == decrypt.ResetRefused && (b.HTTPS || b.Page != "" || b.Contact != "" || b.Exceptions) {
		r.fail(t.place("answer"), "answer: reset sends no page: remove page, https, contact and exceptions, or write answer: tell")
	}
	t.close()
	return b
}
