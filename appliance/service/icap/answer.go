package icap

import (
	"bufio"
	"bytes"
	"errors"
	"slices"
	"strings"

	"github.com/clearspan/clearspan/decrypt/proto/http1"
)

// Limits of what a server may say, in octets.
const (
	maxHead   = 64 << 10  // header of an answer
	maxBlocks = 384 << 10 // all encapsulated headers together
	maxFields = 256
	maxText   = 256 // of what is kept for the audit entry
	maxISTag  = 128 // RFC 3507, Section 4.7 allows 32; servers in use exceed it
)

// answer is the header of an ICAP response.
type answer struct {
	status int
	fields []field
}

// field is a line of a header. Value has no blanks around.
type field struct{ name, value string }

// readAnswer reads the header of a response up to the empty line. Lines end in
// CRLF; they may be folded, as c-icap does. An end of the connection (gone) is
// returned only if not one octet came.
func readAnswer(br *bufio.Reader) (*answer, error) {
	left := maxHead
	line, err := readLine(br, &left)
	if err != nil {
		return nil, err
	}
	a := new(answer)
	if a.status, err = statusOf(line, "ICAP/1.0"); err != nil {
		return nil, err
	}
	for {
		line, err := readLine(br, &left)
		switch {
		case err != nil:
			return nil, unexpected(err)
		case len(line) == 0:
			return a, nil
		case line[0] == ' ' || line[0] == '\t':
			if err := a.fold(line); err != nil {
				return nil, err
			}
			continue
		case len(a.fields) == maxFields:
			return nil, errors.New("header has too many fields")
		}
		f := http1.ParseField(line)
		if f.Fault != http1.Sound {
			return nil, f.Fault
		}
		a.fields = append(a.fields, field{string(f.Name), string(f.Value)})
	}
}

// fold appends a continued line to the field before it (RFC 2616, Section 2.2).
func (a *answer) fold(line []byte) error {
	if len(a.fields) == 0 || http1.Plain(line) != http1.Sound {
		return errors.New("malformed continuation of a field")
	}
	f := &a.fields[len(a.fields)-1]
	f.value = strings.Trim(f.value+" "+strings.Trim(string(line), " \t"), " ")
	return nil
}

// readLine reads a line, and takes its length off left. The result is valid until
// the next read, and without its CRLF.
func readLine(br *bufio.Reader, left *int) ([]byte, error) {
	var long []byte
	for {
		part, err := br.ReadSlice('\n')
		*left -= len(part)
		switch {
		case *left < 0:
			return nil, errors.New("header is too long")
		case err == bufio.ErrBufferFull:
			long = append(long, part...)
			continue
		case len(long)+len(part) > 0 && err != nil:
			return nil, unexpected(err)
		case err != nil:
			return nil, err
		}
		if long != nil {
			part = append(long, part...)
		}
		line, ok := bytes.CutSuffix(part, []byte("\r\n"))
		if !ok {
			return nil, errors.New("line of a header does not end in CRLF")
		}
		return line, nil
	}
}

// statusOf reads "PROTOCOL NNN reason". The reason may be absent.
func statusOf(line []byte, protocols ...string) (int, error) {
	s, fault := http1.ParseStatusLine(line, http1.Strict)
	if fault != http1.Sound || !slices.Contains(protocols, string(s.Version)) {
		return 0, errors.New("malformed status line")
	}
	return s.Code, nil
}

// get returns the value of the first field of that name, "" without one.
func (a *answer) get(name string) string {
	v, _ := a.find(name)
	return v
}

func (a *answer) find(name string) (string, bool) {
	for _, f := range a.fields {
		if strings.EqualFold(f.name, name) {
			return f.value, true
		}
	}
	return "", false
}

// list returns the words of all fields of that name, which are separated by
// commas.
func (a *answer) list(name string) []string {
	var words []string
	for _, f := range a.fields {
		if strings.EqualFold(f.name, name) {
			for w := range strings.SplitSeq(f.value, ",") {
				if w = strings.Trim(w, " \t"); w != "" {
					words = append(words, w)
				}
			}
		}
	}
	return words
}

// has reports whether the list of that name holds word, in any case.
func (a *answer) has(name, word string) bool {
	for _, w := range a.list(name) {
		if strings.EqualFold(w, word) {
			return true
		}
	}
	return false
}

// text returns a value for the audit entry: printable, and not too long.
func (a *answer) text(name string) string {
	v := a.get(name)
	v = v[:min(len(v), maxText)]
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, v)
}

// isTag returns the service's tag (RFC 3507, Section 4.7) without its quotes; ""
// if there is none. A tag without quotes is taken as it is.
func (a *answer) isTag() (string, error) {
	v, ok := a.find("ISTag")
	if !ok {
		return "", nil
	}
	if inner, quoted := strings.CutPrefix(v, `"`); quoted {
		if v, ok = strings.CutSuffix(inner, `"`); !ok {
			return "", errors.New("malformed ISTag")
		}
	}
	if v == "" || len(v) > maxISTag || strings.ContainsAny(v, "\"\t ") {
		return "", errors.New("malformed ISTag")
	}
	return v, nil
}
