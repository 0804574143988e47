package icap

import (
	"errors"
	"path"
	"strings"
	"time"
)

// Limits of what a server may offer.
const (
	maxOptionsTTL = 24 * time.Hour // what does not expire by itself is asked for again then
	minOptionsTTL = time.Second
	maxExtensions = 4096 // words of all Transfer lists together
)

// options is a server's answer to OPTIONS (RFC 3507, Section 4.10.2).
type options struct {
	methods     map[Mode]bool
	preview     int // -1: none
	allow204    bool
	allow206    bool
	connections int // 0: not said
	ttl         time.Duration
	tag         string

	transfer map[string]handling // by file name extension, in lower case
	others   handling
}

// handling is how messages are shown by their file name extension.
type handling uint8

const (
	asPreview handling = iota
	whole
	notAtAll
)

func parseOptions(a *answer) (*options, error) {
	if a.status != 200 && a.status != 204 {
		return nil, errors.New("OPTIONS answered with an error")
	}
	o := &options{preview: -1, ttl: maxOptionsTTL, transfer: make(map[string]handling)}
	var err error
	if o.tag, err = a.isTag(); err != nil {
		return nil, err
	}
	o.methods = map[Mode]bool{REQMOD: a.has("Methods", "REQMOD"), RESPMOD: a.has("Methods", "RESPMOD")}
	if !o.methods[REQMOD] && !o.methods[RESPMOD] {
		return nil, errors.New("service names no method in Methods")
	}
	o.allow204, o.allow206 = a.has("Allow", "204"), a.has("Allow", "206")
	if v, ok := a.find("Preview"); ok {
		if o.preview, ok = parseDecimal(v, 1<<40); !ok {
			return nil, errors.New("malformed field Preview")
		}
	}
	if v, ok := a.find("Max-Connections"); ok {
		if o.connections, ok = parseDecimal(v, 1<<40); !ok {
			return nil, errors.New("malformed field Max-Connections")
		}
	}
	if v, ok := a.find("Options-TTL"); ok {
		seconds, ok := parseDecimal(v, 1<<40)
		if !ok {
			return nil, errors.New("malformed field Options-TTL")
		}
		o.ttl = max(minOptionsTTL, min(maxOptionsTTL, time.Duration(min(seconds, 1<<20))*time.Second))
	}
	return o, o.transfers(a)
}

// transfers reads the three lists of extensions.
func (o *options) transfers(a *answer) error {
	words := 0
	for _, l := range []struct {
		name string
		how  handling
	}{{"Transfer-Preview", asPreview}, {"Transfer-Ignore", notAtAll}, {"Transfer-Complete", whole}} {
		for _, w := range a.list(l.name) {
			if words++; words > maxExtensions {
				return errors.New("lists of file name extensions are too long")
			}
			if w == "*" {
				o.others = l.how
			} else {
				o.transfer[strings.ToLower(strings.TrimPrefix(w, "."))] = l.how
			}
		}
	}
	return nil
}

// handling tells how a message with that request header is shown.
func (o *options) handling(request []byte) handling {
	if len(o.transfer) == 0 {
		return o.others
	}
	if how, ok := o.transfer[extension(request)]; ok {
		return how
	}
	return o.others
}

// extension returns the file name extension in the target of a request line, in
// lower case and without its dot; "" if there is none.
func extension(request []byte) string {
	line, _, _ := strings.Cut(string(request[:min(len(request), 8<<10)]), "\r\n")
	words := strings.Split(line, " ")
	if len(words) < 3 {
		return ""
	}
	target := words[1]
	if end := strings.IndexAny(target, "?#"); end >= 0 {
		target = target[:end]
	}
	return strings.ToLower(strings.TrimPrefix(path.Ext(target), "."))
}

// allows returns what is in Allow of a request, in order.
func (o *options) allows(kept, previewed bool) string {
	var words []string
	if kept {
		words = append(words, "204")
	}
	if o.allow206 && (kept || previewed) {
		words = append(words, "206")
	}
	return strings.Join(words, ", ")
}
