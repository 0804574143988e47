package icap

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// part is a section of an encapsulated message.
type part string

const (
	reqHdr   part = "req-hdr"
	resHdr   part = "res-hdr"
	reqBody  part = "req-body"
	resBody  part = "res-body"
	optBody  part = "opt-body"
	nullBody part = "null-body"
)

// encapsulated is the content of the field of that name (RFC 3507, Section
// 4.4.1): the headers in their order with their lengths, then the body.
type encapsulated struct {
	headers []part
	lengths []int
	body    part // nullBody: there is none
}

var errEncapsulated = errors.New("malformed field Encapsulated")

// parseEncapsulated reads the field's value.
func parseEncapsulated(v string) (e encapsulated, err error) {
	last := 0
	for word := range strings.SplitSeq(v, ",") {
		name, number, ok := strings.Cut(strings.Trim(word, " \t"), "=")
		at, ok2 := parseDecimal(number, maxBlocks)
		if !ok || !ok2 || e.body != "" {
			return e, errEncapsulated
		}
		p := part(strings.ToLower(name))
		n := len(e.headers)
		switch {
		case n == 0 && at != 0, n > 0 && at <= last:
			return e, errEncapsulated
		case n > 0:
			e.lengths = append(e.lengths, at-last)
		}
		last = at
		switch p {
		case reqHdr, resHdr:
			if n == 2 || n == 1 && (e.headers[0] == p || p == reqHdr) {
				return e, errEncapsulated
			}
			e.headers = append(e.headers, p)
		case reqBody, resBody, optBody, nullBody:
			e.body = p
		default:
			return e, fmt.Errorf("unknown part %.32q in field Encapsulated", name)
		}
	}
	if e.body == "" {
		return e, errEncapsulated
	}
	return e, nil
}

// parseDecimal reads digits and nothing else, up to most.
func parseDecimal(s string, most int) (int, bool) {
	if s == "" || len(s) > 18 {
		return 0, false
	}
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return 0, false
		}
	}
	n, err := strconv.Atoi(s)
	return n, err == nil && n <= most
}
