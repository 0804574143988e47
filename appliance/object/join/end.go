package join

import (
	"encoding/json"
	"encoding/xml"
	"net/url"
	"strings"
	"time"
)

// End says that an exchange is over. The contents are those of its messages, nil without.
// The files that it completes are returned.
func (t *Table) End(p *Part, at time.Time, sent, received *Contents) []Joined {
	if p == nil || p.failed && p.way != ranged {
		return nil
	}
	switch p.way {
	case announces:
		return t.announced(p, at, sent, received)
	case drops:
		if f := t.files[p.key]; f != nil {
			t.forget(f)
		}
		return nil
	case lists:
		return t.listed(p, sent)
	}
	c := sent
	if p.key.received {
		c = received
	}
	if c == nil && !p.last {
		return nil
	}
	f := t.open(p.key, at)
	if f.name == "" {
		f.name = p.name
	}
	if p.total > 0 {
		f.total = p.total
	}
	if c != nil {
		before := len(f.pieces)
		if f.owner = c.Owner; !f.add(piece{Placed{c.Handle, p.at, c.Size}, p.label}) {
			return nil
		}
		t.held += len(f.pieces) - before
	}
	if p.last && f.total == 0 && c != nil {
		f.total = p.at + c.Size
	}
	if p.way == labelled || !f.whole() {
		return nil
	}
	t.forget(f)
	return []Joined{f.joined()}
}

// announced notes an upload whose parts may follow.
func (t *Table) announced(p *Part, at time.Time, sent, received *Contents) []Joined {
	where := p.location
	if where == "" && received != nil {
		where = member(received.Text, "uploadUrl")
	}
	if where == "" {
		return nil
	}
	l := locate(where, p.key.host)
	a := announced{p.name, p.total}
	if a.name == "" && sent != nil {
		for _, m := range [...]string{"name", "title", "filename", "fileName"} {
			if a.name = member(sent.Text, m); a.name != "" {
				break
			}
		}
	}
	if a.name == "" && a.total == 0 {
		return nil
	}
	t.announce(l, a)
	return nil
}

// locate reads the address of the parts.
func locate(where, host string) location {
	u, err := url.Parse(where)
	if err != nil {
		return location{host, where}
	}
	if u.Hostname() != "" {
		host = u.Hostname()
	}
	return location{host, u.RequestURI()}
}

// member returns a text of a JSON object, "" if there is none.
func member(text []byte, name string) string {
	var object map[string]any
	if len(text) == 0 || json.Unmarshal(text, &object) != nil {
		return ""
	}
	if s, ok := object[name].(string); ok {
		return s
	}
	for _, v := range object { // Graph nests what describes the file
		if inner, ok := v.(map[string]any); ok {
			if s, ok := inner[name].(string); ok {
				return s
			}
		}
	}
	return ""
}

// listed puts labelled parts into the order of a list.
func (t *Table) listed(p *Part, sent *Contents) []Joined {
	f := t.files[p.key]
	if f == nil || sent == nil {
		return nil
	}
	labels := labelsIn(sent.Text)
	if len(labels) == 0 {
		return nil
	}
	if f.name == "" {
		f.name = p.name
	}
	t.forget(f)
	return []Joined{f.inOrder(labels)}
}

// labelsIn reads CompleteMultipartUpload of S3, or BlockList of Azure.
func labelsIn(text []byte) (labels []string) {
	d := xml.NewDecoder(strings.NewReader(string(text)))
	in := ""
	for len(labels) < maxParts {
		token, err := d.Token()
		if err != nil {
			return labels
		}
		switch x := token.(type) {
		case xml.StartElement:
			in = x.Name.Local
		case xml.EndElement:
			in = ""
		case xml.CharData:
			switch in {
			case "PartNumber", "Latest", "Uncommitted", "Committed":
				labels = append(labels, strings.TrimSpace(string(x)))
			}
		}
	}
	return labels
}
