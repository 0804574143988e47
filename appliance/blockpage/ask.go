package blockpage

import (
	"net/http"
	"strings"
	"unicode"
)

const (
	maxForm   = 8 << 10 // octets
	maxReason = 500     // characters
)

// asked takes the form of a user who asks for an exception. Pages of other sites cannot
// send it: a browser says where a form comes from.
func (a *answer) asked(w http.ResponseWriter, r *http.Request) {
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" && site != "same-origin" {
		a.send(w, http.StatusForbidden, a.html)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		a.send(w, http.StatusBadRequest, a.html)
		return
	}
	if !a.ask(a.session, clean(r.PostForm.Get("reason"))) {
		a.send(w, http.StatusServiceUnavailable, a.html)
		return
	}
	facts := a.page.facts(a.session)
	facts.Asked = true
	a.send(w, http.StatusOK, a.page.render(&facts))
}

// clean makes one line of what a user wrote, without control characters.
func clean(text string) string {
	text = strings.Join(strings.FieldsFunc(strings.ToValidUTF8(text, "?"), func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r)
	}), " ")
	if runes := []rune(text); len(runes) > maxReason {
		text = string(runes[:maxReason])
	}
	return text
}
