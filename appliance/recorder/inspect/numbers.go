package inspect

// number is a run of digits, perhaps in groups with one sign between them.
type number struct {
	span
	digits []byte // without signs; borrowed
	groups []int  // digits of each group
	sign   byte   // between groups; 0: none, or several
	plus   bool   // a + stands in front
	zero   bool   // an opening bracket stands in front, as in (03)
}

const (
	maxDigits = 24
	maxGroups = 8
)

// numbers finds runs of digits and judges them.
func (r *reading) numbers() {
	var digits [maxDigits]byte
	var groups [maxGroups]int
	for at := 0; at < len(r.text); {
		c := r.text[at]
		if c < '0' || c > '9' {
			at++
			continue
		}
		n := number{digits: digits[:0], groups: groups[:0]}
		end, ok := r.run(at, &n)
		if ok {
			r.judge(&n)
		}
		at = end
	}
}

// run reads the number that begins at an octet. It returns false if it is too long, or part
// of a word.
func (r *reading) run(from int, n *number) (end int, ok bool) {
	end, ok = from, true
	group := 0
	mixed := false
	for end < len(r.text) {
		c := r.text[end]
		switch {
		case '0' <= c && c <= '9':
			if len(n.digits) == maxDigits {
				ok = false
			} else {
				n.digits = append(n.digits, c)
			}
			group++
			end++
			continue
		case (c == '-' || c == ' ' || c == '.' || c == '/' || c == ')' || c == '(') && end+1 < len(r.text) && '0' <= r.text[end+1] && r.text[end+1] <= '9':
			mixed = mixed || n.sign != 0 && n.sign != c
			n.sign = c
			if len(n.groups) == maxGroups-1 {
				ok = false
			} else {
				n.groups = append(n.groups, group)
			}
			group = 0
			end++
			continue
		}
		break
	}
	n.span = span{from, end}
	if len(n.groups) < maxGroups {
		n.groups = append(n.groups, group)
	}
	if mixed {
		n.sign = 0
	}
	if from > 0 {
		switch c := r.text[from-1]; {
		case c == '+':
			n.plus = true
		case c == '(':
			n.zero = true
		case c == '.' || c == '_' || c == '-' || c == '/' || c == '%' || c == '#':
			ok = false
		}
	}
	if end < len(r.text) && (r.text[end] == '_' || r.text[end] == '%') {
		ok = false
	}
	return end, ok
}

// value returns the text of what was found. It is borrowed.
func (r *reading) value(s span) []byte { return r.text[s.from:s.to] }

// letters returns how many small letters touch the number in front and behind.
func (r *reading) letters(n *number) (front, behind int) {
	for i := n.from - 1; i >= 0 && 'a' <= r.text[i] && r.text[i] <= 'z' && front < 3; i-- {
		front++
	}
	for i := n.to; i < len(r.text) && 'a' <= r.text[i] && r.text[i] <= 'z' && behind < 3; i++ {
		behind++
	}
	return front, behind
}

// judge tries all that a number may be.
func (r *reading) judge(n *number) {
	front, behind := r.letters(n)
	if front > 0 || behind > 0 {
		r.lettered(n, front, behind)
		return
	}
	switch len(n.digits) {
	case 7:
		r.seven(n)
	case 8:
		r.ruled(n, "insurance", 80, insuranceWord)
		r.date(n)
	case 10, 11:
		r.ten(n)
	case 12:
		r.twelve(n)
	case 14, 15, 16:
		r.card(n)
	}
	if len(n.groups) == 3 {
		r.date(n)
	}
	r.phone(n)
}

// ruled notes a number that counts only near its words.
func (r *reading) ruled(n *number, detector string, score int, words ...class) bool {
	where := r.context(n.span, words...)
	if where == nowhere {
		return false
	}
	if where == heading {
		score = min(score+10, 100)
	}
	r.found(detector, n.span, r.value(n.span), score)
	return true
}

// shaped reports whether the groups have these lengths, with - or a blank between them.
func (n *number) shaped(groups ...int) bool {
	if len(n.groups) != len(groups) || len(groups) > 1 && n.sign != '-' && n.sign != ' ' {
		return false
	}
	for i, g := range groups {
		if n.groups[i] != g {
			return false
		}
	}
	return true
}

// twelve judges numbers of 12 digits: one that the state gives to a person, or a licence.
func (r *reading) twelve(n *number) {
	if !n.shaped(12) && !n.shaped(4, 4, 4) {
		return
	}
	if myNumber(n.digits) && r.ruled(n, "my-number", 85, myNumberWord) {
		return
	}
	if n.shaped(12) {
		r.ruled(n, "licence", 80, licenceWord)
	}
}

// myNumber reports whether the check digit of a Japanese individual number is right. It is
// for one in ten of any numbers.
func myNumber(d []byte) bool {
	sum := 0
	for n := 1; n <= 11; n++ { // from the right, without the check digit
		p := int(d[11-n] - '0')
		q := n + 1
		if n > 6 {
			q = n - 5
		}
		sum += p * q
	}
	check := 11 - sum%11
	if sum%11 <= 1 {
		check = 0
	}
	return int(d[11]-'0') == check && !same(d)
}

// same reports whether all digits are one.
func same(d []byte) bool {
	for _, c := range d {
		if c != d[0] {
			return false
		}
	}
	return true
}

// ten judges numbers of 10 and 11 digits.
func (r *reading) ten(n *number) {
	if n.shaped(4, 6) || n.shaped(10) {
		r.ruled(n, "pension", 85, pensionWord)
	}
	if n.shaped(3, 7) && r.context(n.span, branchWord, bankWord) != nowhere {
		r.found("bank-account", n.span, r.value(n.span), 80)
	}
}

// seven judges numbers of 7 digits: an account, or a postal code.
func (r *reading) seven(n *number) {
	switch {
	case n.shaped(3, 4):
		r.postal(n)
	case n.shaped(7):
		score := 75
		if r.context(n.span, branchWord) != nowhere {
			score = 85
		}
		if r.ruled(n, "bank-account", score, bankWord) {
			return
		}
		if r.within(postalWord, n.span, 12) || r.headed(postalWord, n.span) {
			r.about(n.span, postalCodes)
			r.found("postal-code", n.span, r.value(n.span), 50)
		}
	}
}

// postal judges 123-4567.
func (r *reading) postal(n *number) {
	if n.sign != '-' || !r.within(postalWord, n.span, 12) && !r.headed(postalWord, n.span) && !r.within(prefecture, n.span, 6) {
		return
	}
	r.about(n.span, postalCodes)
	r.found("postal-code", n.span, r.value(n.span), 50)
}

// lettered judges numbers with letters at them: passports and residence cards.
func (r *reading) lettered(n *number, front, behind int) {
	whole := span{n.from - front, n.to + behind}
	if !r.apart(whole) || len(n.groups) != 1 {
		return
	}
	switch {
	case front == 2 && behind == 0 && len(n.digits) == 7:
		r.ruled(&number{span: whole}, "passport", 85, passportWord)
	case front == 2 && behind == 2 && len(n.digits) == 8:
		r.ruled(&number{span: whole}, "residence-card", 90, residenceWord)
	}
}
