package inspect

import (
	"bytes"
	"strconv"
)

// issuers are ranges of the first six digits of cards, with their lengths (ISO/IEC 7812).
var issuers = []struct{ from, to, least, most int }{
	{340000, 349999, 15, 15}, {370000, 379999, 15, 15}, // American Express
	{300000, 305999, 14, 14}, {360000, 369999, 14, 14}, {380000, 399999, 14, 16}, // Diners Club
	{352800, 358999, 16, 16},                           // JCB
	{400000, 499999, 16, 16},                           // Visa
	{510000, 559999, 16, 16}, {222100, 272099, 16, 16}, // Mastercard
	{620000, 629999, 16, 16},                           // UnionPay
	{601100, 601199, 16, 16}, {644000, 659999, 16, 16}, // Discover
}

// testCards are numbers that payment services publish for tests.
var testCards = map[string]bool{
	"4111111111111111": true, "4242424242424242": true, "4012888888881881": true, "4000056655665556": true, "4000000000000002": true,
	"5555555555554444": true, "5105105105105100": true, "5200828282828210": true, "2223003122003222": true, "2223000048400011": true,
	"378282246310005": true, "371449635398431": true, "378734493671000": true, "30569309025904": true, "38520000023237": true,
	"6011111111111117": true, "6011000990139424": true, "3530111333300000": true, "3566002020360505": true, "6200000000000005": true,
	"36227206271667": true, "5425233430109903": true, "4917484589897107": true,
}

// card judges numbers of 14 to 16 digits.
func (r *reading) card(n *number) {
	d := n.digits
	grouped := n.shaped(4, 4, 4, 4) || n.shaped(4, 6, 5) || n.shaped(4, 6, 4)
	if !grouped && len(n.groups) != 1 || !luhn(d) || same(d) || testCards[string(d)] || !issued(d) {
		return
	}
	if n.sign == ' ' && r.amidCodes(n.span) {
		grouped = false
	}
	score := 55 // one in ten of any numbers with that beginning has a good check digit
	if grouped {
		score += 20
	}
	if where := r.context(n.span, cardWord); where != nowhere {
		score += 30
	}
	r.found("card", n.span, r.value(n.span), min(score, 100))
}

// amidCodes reports whether a number stands among others of four hexadecimal digits, as code
// points do in a table.
func (r *reading) amidCodes(s span) bool {
	front, behind := r.text[max(s.from-5, 0):s.from], r.text[s.to:min(s.to+5, len(r.text))]
	return len(front) == 5 && front[4] == ' ' && hexadecimal(front[:4]) || len(behind) == 5 && behind[0] == ' ' && hexadecimal(behind[1:])
}

func hexadecimal(p []byte) bool {
	for _, c := range p {
		if !('0' <= c && c <= '9' || 'a' <= c && c <= 'f') {
			return false
		}
	}
	return true
}

// issued reports whether an issuer has numbers of this beginning and length.
func issued(d []byte) bool {
	begin, err := strconv.Atoi(string(d[:6]))
	for _, i := range issuers {
		if err == nil && i.from <= begin && begin <= i.to && i.least <= len(d) && len(d) <= i.most {
			return bytes.Count(d, d[:1]) < len(d)-2
		}
	}
	return false
}

// luhn checks the check digit (ISO/IEC 7812-1, Annex B).
func luhn(d []byte) bool {
	sum := 0
	for i := range d {
		v := int(d[len(d)-1-i] - '0')
		if i%2 == 1 {
			if v *= 2; v > 9 {
				v -= 9
			}
		}
		sum += v
	}
	return sum%10 == 0
}
