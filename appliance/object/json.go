package object

import (
	"strings"

	"github.com/clearspan/clearspan/appliance/object/name"
)

// jsonFiles finds files in a JSON text: members whose values are base64 (RFC 4648), plain or
// in a data: URL (RFC 2397). The name of a file is that of a member beside it, or around it.
// It reads JSON loosely (RFC 8259): what matters is which text belongs to which member.
type jsonFiles struct {
	r      *reading
	parent int
	at     place
	number int
	stack  []jsonLevel
	octets uint64
	over   bool // a bound was exceeded: the rest is not read

	inText bool
	escape []byte    // a backslash and what is behind it, up to now
	text   []byte    // the beginning of the text that is read
	key    string    // the last text that a colon followed
	word   string    // the last text
	base64 stage     // takes the text, which is a file
	file   *jsonFile // that file, unless it is a mail message
	passed bool      // the rest of this text is of no interest
}

// jsonLevel is an object or array that is open.
type jsonLevel struct {
	key   string // of the member that it is
	name  string
	files []*jsonFile
}

const (
	maxJSON      = 256 << 20 // octets of a text that are read
	maxJSONDepth = 64
	maxBegin     = 512  // octets of a text that tell what it is: so much base64 is a file anyway
	leastBase64  = 64   // octets of base64 that are a file, if the name of the member says so
	maxWaiting   = 1000 // files without a name
)

// fileKeys are members whose texts are files, nameKeys those that name files.
var (
	fileKeys = words("content", "contents", "contentbytes", "data", "file", "filedata", "file_data", "filecontent", "file_content", "base64", "b64", "body", "bytes", "blob", "attachment", "image", "payload", "raw", "document", "upload", "buffer", "source", "value")
	nameKeys = words("name", "filename", "file_name", "originalname", "original_name", "title", "path", "displayname")
)

func words(list ...string) map[string]bool {
	m := make(map[string]bool, len(list))
	for _, w := range list {
		m[w] = true
	}
	return m
}

// newJSON returns the stage that reads the JSON text of the object with a number.
func newJSON(r *reading, number int, at place) *jsonFiles {
	return &jsonFiles{r: r, parent: number, at: at, stack: make([]jsonLevel, 1, 8)}
}

func (j *jsonFiles) write(p []byte) {
	if j.over {
		return
	}
	if j.octets += uint64(len(p)); j.octets > maxJSON {
		j.stop(Broken)
		return
	}
	for len(p) > 0 && !j.over {
		if j.inText {
			p = j.run(p)
			continue
		}
		j.structure(p[0])
		p = p[1:]
	}
}

// structure reads an octet outside of texts.
func (j *jsonFiles) structure(c byte) {
	switch c {
	case '"':
		j.inText, j.text, j.escape, j.passed = true, j.text[:0], nil, false
	case ':':
		j.key = j.word
	case ',':
		j.key = ""
	case '{', '[':
		if len(j.stack) >= maxJSONDepth {
			j.stop(Broken)
			return
		}
		j.stack = append(j.stack, jsonLevel{key: j.key})
		j.key = ""
	case '}', ']':
		j.pop(c == '}')
	}
}

// pop closes an object or array. Files in it without a name wait for one around it.
func (j *jsonFiles) pop(object bool) {
	if len(j.stack) < 2 {
		return
	}
	level := j.stack[len(j.stack)-1]
	j.stack = j.stack[:len(j.stack)-1]
	j.key = ""
	below := &j.stack[len(j.stack)-1]
	switch {
	case level.name != "" && object:
		for _, f := range level.files {
			f.end(level.name)
		}
		if len(j.stack) == 1 {
			j.r.told = level.name
		}
	case len(below.files)+len(level.files) > maxWaiting:
		for _, f := range level.files {
			f.end("")
		}
	default:
		below.files = append(below.files, level.files...)
	}
}

// run reads octets of a text, up to its end.
func (j *jsonFiles) run(p []byte) []byte {
	for i := 0; i < len(p); i++ {
		switch c := p[i]; {
		case len(j.escape) > 0:
			if j.escape = append(j.escape, c); len(j.escape) == 2 && c != 'u' || len(j.escape) == 6 {
				j.take(unescaped(j.escape))
				j.escape = j.escape[:0]
			}
			p, i = p[i+1:], -1
		case c == '\\':
			j.take(p[:i])
			j.escape = append(j.escape, c)
			p, i = p[i+1:], -1
		case c == '"':
			j.take(p[:i])
			j.end()
			return p[i+1:]
		}
	}
	j.take(p)
	return nil
}

// take takes octets of a text.
func (j *jsonFiles) take(p []byte) {
	switch {
	case len(p) == 0 || j.passed:
	case j.base64 != nil:
		j.base64.write(p)
	default:
		n := min(len(p), maxBegin-len(j.text))
		j.text = append(j.text, p[:n]...)
		if len(j.text) < maxBegin {
			return
		}
		if j.begin(); j.base64 == nil {
			j.passed = true
			return
		}
		j.take(p[n:])
	}
}

// end ends a text.
func (j *jsonFiles) end() {
	j.inText = false
	if j.base64 == nil && !j.passed && j.key != "" && len(j.text) >= leastBase64 {
		j.begin()
	}
	if j.base64 != nil {
		j.base64.close(Complete)
		j.keep()
	}
	j.word = strings.ToLower(string(j.text[:min(len(j.text), 64)]))
	if level := &j.stack[len(j.stack)-1]; nameKeys[j.key] && !j.passed && len(j.text) > 0 && level.name == "" {
		level.name = string(j.text)
	}
}

// keep has the file that was read wait for its name.
func (j *jsonFiles) keep() {
	f := j.file
	j.base64, j.file = nil, nil
	if f == nil {
		return
	}
	level := &j.stack[len(j.stack)-1]
	if len(level.files) < maxWaiting {
		level.files = append(level.files, f)
	} else {
		f.end("")
	}
}

// begin begins a file, if the text is one by its beginning.
func (j *jsonFiles) begin() {
	text := string(j.text)
	d := &Description{Parent: j.parent}
	if rest, ok := strings.CutPrefix(text, "data:"); ok {
		kind, data, found := strings.Cut(rest, ",")
		kind, coded := strings.CutSuffix(kind, ";base64")
		if !found || !coded {
			return
		}
		d.Type, _ = name.Field(kind)
		text = data
	} else if !isBase64(text) || len(text) < maxBegin && !fileKeys[j.key] && !fileKeys[j.stack[len(j.stack)-1].key] {
		return
	}
	j.number++
	at := j.at.below(j.parent, j.number)
	if d.Part = at.path; j.key == "raw" && at.depth < maxDepth { // as mail is sent by Gmail's interface
		j.base64 = &base64Stage{next: newMail(j.r, d, at), url: true}
	} else {
		j.r.objects++
		d.Number = j.r.objects
		w := j.r.sink.Begin(d)
		if w == nil {
			j.passed = true
			return
		}
		j.file = &jsonFile{d: d, writer: w}
		j.base64 = &base64Stage{next: j.file, url: true}
	}
	j.base64.write([]byte(text))
}

// hole is octets of a file, or it hides the structure.
func (j *jsonFiles) hole(n uint64) {
	switch {
	case j.over:
	case j.base64 != nil:
		j.base64.hole(n)
	default:
		j.stop(Cut)
	}
}

func (j *jsonFiles) close(e Ending) {
	if !j.over {
		j.stop(max(e, Complete))
	}
}
