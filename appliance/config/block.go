package config

// RefusalAnswer is how clients are told that their session is refused.
type RefusalAnswer string

const (
	// Tell answers in the client's own protocol: a TLS alert, a page by HTTP, an
	// error in answer to a proxy request or in a mail protocol.
	Tell RefusalAnswer = "tell"
	// ResetRefused resets the connection.
	ResetRefused RefusalAnswer = "reset"
)

// Refusal is what clients of refused sessions get: those that a rule terminates,
// and those whose origin is blocked.
type Refusal struct {
	// Answer is tell, the default, or reset.
	Answer RefusalAnswer
	// Page is the file of a template (html/template) in place of the built-in
	// page; empty for that.
	Page string
	// HTTPS has the page answer HTTPS too, on a forged certificate, where it would
	// be an alert. Default false.
	HTTPS bool
}

func (r *reader) block(n *node) (b Refusal) {
	t := r.table(n, "block")
	b.Page = value(t, "page", "", parseFile(r.dir))
	t.fill("block", "", &b)
	if b.Answer == ResetRefused && (b.HTTPS || b.Page != "") {
		r.fail(t.place("answer"), "answer: reset sends no page: remove page and https, or write answer: tell")
	}
	t.close()
	return b
}
