package starttls

import "bytes"

// markup reads XML token by token: text, and what is in angle brackets. It keeps
// of a token no more than its first octets, and knows nothing of namespaces but
// that a prefix may stand before a name. It allocates nothing.
type markup struct {
	depth  int // of open elements
	inside bool
	token  token // that is being read
}

// token is what is in angle brackets, as far as it was read.
type token struct {
	head  [64]byte // its first octets
	n     int      // how many of them
	quote byte     // of the value that is being read, 0 for none
	last  [2]byte  // the octets before
}

// kind of a token.
type kind uint8

const (
	text      kind = iota // or a comment, a processing instruction, CDATA
	startTag              // <name>
	endTag                // </name>
	emptyTag              // <name/>
	directive             // <!DOCTYPE, which no stream has (RFC 6120, Section 11.1)
)

// next returns the length of the token at the beginning of p, which is not empty,
// or 0 if it is to be held until there is more. A token over maxLine is long: what
// is there of it is passed as text, and its kind is told with its last octets.
func (m *markup) next(p []byte) (n int, k kind, name string, long bool) {
	if !m.inside && p[0] != '<' {
		if n := bytes.IndexByte(p, '<'); n >= 0 {
			return n, text, "", false
		}
		return len(p), text, "", false
	}
	t := m.token
	n, complete := t.read(p)
	long = m.inside || n > maxLine
	switch {
	case complete:
		m.inside, m.token = false, token{}
		k, name = t.classify()
		return n, k, name, long
	case !long:
		return 0, text, "", false
	}
	m.inside, m.token = true, t
	return n, text, "", true
}

// read takes octets up to the end of the token.
func (t *token) read(p []byte) (n int, complete bool) {
	for i, c := range p {
		if t.n < len(t.head) {
			t.head[t.n] = c
			t.n++
		}
		if t.ends(c) {
			return i + 1, true
		}
		t.last[0], t.last[1] = t.last[1], c
	}
	return len(p), false
}

// ends reports whether c is the last octet of the token.
func (t *token) ends(c byte) bool {
	head := t.head[:t.n]
	switch {
	case bytes.HasPrefix(head, []byte("<!--")):
		return c == '>' && string(t.last[:]) == "--" && t.n > len("<!-->")
	case bytes.HasPrefix(head, []byte("<![CDATA[")):
		return c == '>' && string(t.last[:]) == "]]"
	case bytes.HasPrefix(head, []byte("<?")):
		return c == '>' && t.last[1] == '?' && t.n > len("<?>")
	case t.quote != 0:
		if c == t.quote {
			t.quote = 0
		}
		return false
	case c == '"' || c == '\'':
		t.quote = c
	}
	return c == '>'
}

// elements are the names that mean something.
var elements = []string{"stream", "features", "starttls", "proceed", "failure", "success"}

// classify tells the kind of a whole token and, if it is a tag, which of the
// elements it is of, "" for none of them.
func (t *token) classify() (k kind, element string) {
	head := t.head[:t.n]
	switch {
	case bytes.HasPrefix(head, []byte("<!--")), bytes.HasPrefix(head, []byte("<![CDATA[")), bytes.HasPrefix(head, []byte("<?")):
		return text, ""
	case bytes.HasPrefix(head, []byte("<!")):
		return directive, ""
	}
	k = startTag
	name := head[1:]
	if bytes.HasPrefix(name, []byte("/")) {
		k, name = endTag, name[1:]
	} else if t.last[1] == '/' {
		k = emptyTag
	}
	if end := bytes.IndexAny(name, " \t\r\n/>"); end >= 0 {
		name = name[:end]
	}
	if colon := bytes.IndexByte(name, ':'); colon >= 0 {
		name = name[colon+1:]
	}
	for _, e := range elements {
		if string(name) == e {
			return k, e
		}
	}
	return k, ""
}
