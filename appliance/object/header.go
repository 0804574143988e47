package object

import (
	"bytes"
	"strings"

	"github.com/clearspan/clearspan/appliance/object/name"
)

// headerReader collects a header section, up to its empty line.
type headerReader struct {
	octets []byte
}

// add takes octets, and returns what is behind the header, once that is whole. over: the
// header exceeds its bound.
func (h *headerReader) add(p []byte) (rest []byte, whole, over bool) {
	from := max(len(h.octets)-3, 0)
	h.octets = append(h.octets, p...)
	for i := from; i < len(h.octets); i++ {
		if h.octets[i] != '\n' {
			continue
		}
		line := h.octets[:i]
		empty := i == 0 || i == 1 && line[0] == '\r' || bytes.HasSuffix(line, []byte("\n")) || bytes.HasSuffix(line, []byte("\n\r"))
		if empty {
			rest = h.octets[i+1:]
			if i > maxHeader { // whatever pieces it came in
				return nil, false, true
			}
			h.octets = line
			return rest, true, false
		}
	}
	return nil, false, len(h.octets) > maxHeader
}

// fields calls f with each field, folded lines joined.
func fields(section []byte, f func(key, value string)) {
	key, value := "", ""
	flush := func() {
		if key != "" {
			f(key, strings.TrimSpace(value))
		}
		key = ""
	}
	for line := range bytes.Lines(section) {
		line = bytes.TrimRight(line, "\r\n")
		if len(line) > 0 && (line[0] == ' ' || line[0] == '\t') {
			value += " " + strings.TrimSpace(string(line))
			continue
		}
		flush()
		if k, v, ok := bytes.Cut(line, []byte(":")); ok {
			key, value = strings.ToLower(strings.TrimSpace(string(k))), string(v)
		}
	}
	flush()
}

// entityOf reads the fields that describe an entity.
func entityOf(section []byte) (h entity) {
	fields(section, func(key, value string) {
		switch key {
		case "content-type":
			first(&h.kind, value)
		case "content-disposition":
			first(&h.disposition, value)
		case "content-transfer-encoding":
			first(&h.transfer, value)
		case "content-range":
			first(&h.ranged, value)
		}
	})
	return h
}

// headerOf reads the fields of a mail message that people look at.
func headerOf(section []byte) *Header {
	h := &Header{}
	fields(section, func(key, value string) {
		switch key {
		case "subject":
			first(&h.Subject, name.Text(value))
		case "from":
			first(&h.From, name.Text(value))
		case "to":
			first(&h.To, name.Text(value))
		case "cc":
			first(&h.CC, name.Text(value))
		case "date":
			first(&h.Date, value)
		case "message-id":
			first(&h.MessageID, value)
		}
	})
	return h
}

func first(to *string, value string) {
	if *to == "" {
		*to = value
	}
}
