package inspect

import "bytes"

// phone judges numbers as telephone numbers: those of Japan, and E.164 with a +.
func (r *reading) phone(n *number) {
	d := n.digits
	if same(d) {
		return
	}
	score := 0
	switch {
	case n.plus && 9 <= len(d) && len(d) <= 15 && d[0] != '0':
		score = 60
	case d[0] != '0' || len(d) < 10 || len(d) > 11 || d[1] == '0':
		return
	case len(d) == 11 && mobile(d) && (n.shaped(3, 4, 4) || n.shaped(11)):
		score = 60
	case len(d) == 10 && len(n.groups) == 3 && n.sign == '-':
		score = 60
	case len(d) == 10 && (n.zero || n.sign == ')') && len(n.groups) >= 2:
		score = 55
	case len(d) == 10 && len(n.groups) == 1 && r.context(n.span, phoneWord) != nowhere:
		score = 50
	default:
		return
	}
	if r.within(phoneWord, n.span, 30) || r.headed(phoneWord, n.span) {
		score += 10
	}
	r.about(n.span, phones)
	r.found("phone", n.span, d, min(score, 69)) // one alone is worth no telling
}

// mobile reports whether 11 digits begin as numbers of mobile and IP telephones.
func mobile(d []byte) bool { return d[2] == '0' && bytes.IndexByte([]byte("56789"), d[1]) >= 0 }

// date judges dates: of births, if a word says so.
func (r *reading) date(n *number) {
	var year, month, day int
	at := func(from, to int) (v int) {
		for _, c := range n.digits[from:to] {
			v = v*10 + int(c-'0')
		}
		return v
	}
	switch {
	case len(n.groups) == 1 && len(n.digits) == 8:
		year, month, day = at(0, 4), at(4, 6), at(6, 8)
	case len(n.groups) == 3 && n.sign != 0 && n.groups[0] == 4 && n.groups[1] <= 2 && n.groups[2] <= 2:
		year, month, day = at(0, 4), at(4, 4+n.groups[1]), at(4+n.groups[1], len(n.digits))
	default:
		return
	}
	if year < 1900 || year > 2030 || month < 1 || month > 12 || day < 1 || day > 31 {
		return
	}
	r.birth(n.span, births)
}

// birth notes a date, if it is one of a birth.
func (r *reading) birth(s span, k kind) {
	if r.within(birthWord, s, 60) || r.headed(birthWord, s) {
		r.about(s, k)
		r.found("birth-date", s, r.value(s), 60)
	}
}

const (
	maxLocal  = 64
	maxDomain = 255
)

// addresses finds addresses of mail, of places, and dates in Japanese.
func (r *reading) addresses() {
	for at := 0; ; {
		i := bytes.IndexByte(r.text[at:], '@')
		if i < 0 {
			break
		}
		i += at
		at = i + 1
		from, to := i, i+1
		for from > 0 && i-from < maxLocal && local(r.text[from-1]) {
			from--
		}
		dot := 0
		for to < len(r.text) && to-i < maxDomain && (alphanumeric(r.text[to]) || r.text[to] == '-' || r.text[to] == '.') {
			if r.text[to] == '.' {
				dot = to
			}
			to++
		}
		for to > i+1 && (r.text[to-1] == '.' || r.text[to-1] == '-') {
			to--
			if dot >= to {
				dot = bytes.LastIndexByte(r.text[i:to], '.') + i
			}
		}
		if from == i || dot <= i+1 || to-dot < 3 || digitsOnly(r.text[dot+1:to]) {
			continue
		}
		s := span{from, to}
		r.about(s, mails)
		r.found("e-mail", s, r.value(s), 50)
	}
	r.addressesOfPlaces()
	r.japaneseDates()
}

func digitsOnly(p []byte) bool {
	for _, c := range p {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

func local(c byte) bool { return alphanumeric(c) || bytes.IndexByte([]byte("._%+-"), c) >= 0 }

// municipality are the characters that end the name of one.
var municipality = [][]byte{[]byte("市"), []byte("区"), []byte("町"), []byte("村"), []byte("郡")}

// addressesOfPlaces finds addresses of places: a prefecture, with a municipality behind it.
func (r *reading) addressesOfPlaces() {
	for _, p := range r.near[prefecture] {
		rest := r.text[p.to:min(p.to+30, len(r.text))]
		if i := bytes.IndexByte(rest, '\n'); i >= 0 {
			rest = rest[:i]
		}
		for _, m := range municipality {
			if i := bytes.Index(rest, m); i > 0 {
				s := span{p.from, p.to + i + len(m)}
				r.about(s, places)
				r.found("address", s, r.value(s), 50)
				break
			}
		}
	}
}

// japaneseDates finds 昭和55年1月2日 and 1980年1月2日.
func (r *reading) japaneseDates() {
	for _, year := range r.near[yearSign] {
		i, at := year.from, year.to
		from, to := i, at
		for from > 0 && i-from < 4 && '0' <= r.text[from-1] && r.text[from-1] <= '9' {
			from--
		}
		if from == i {
			continue
		}
		for to < len(r.text) && to-at < 16 && ('0' <= r.text[to] && r.text[to] <= '9' || r.text[to] >= 0x80 || r.text[to] == ' ') {
			to++
		}
		if bytes.Contains(r.text[at:to], []byte("月")) && bytes.Contains(r.text[at:to], []byte("日")) {
			to = at + bytes.Index(r.text[at:to], []byte("日")) + 3
			r.birth(span{from, to}, japaneseBirths)
		}
	}
}
