package export

import (
	"bytes"
	"encoding/json"
	"strconv"
	"time"

	"github.com/clearspan/clearspan/appliance/audit"
	"github.com/clearspan/clearspan/appliance/query"
	"github.com/clearspan/clearspan/appliance/syslog"
)

// facility is "log audit" (RFC 5424, Section 6.2.1).
const facility = 13

// Severities of messages (RFC 5424, Section 6.2.1).
const (
	warning = 4
	notice  = 5
	info    = 6
)

// severities are those of entries by outcome; others are info.
var severities = map[string]int{"terminated": warning, "failed": notice, "dropped": notice}

// interimClass is the class of entries of sessions that go on.
const interimClass = "interim"

// encoder writes entries in a format, as messages of syslog or bare.
type encoder struct {
	format  Format
	syslog  bool
	host    string // HOSTNAME, or the nil value
	version string
	buf     []byte
}

func newEncoder(f Format, framed bool, hostname, version string) encoder {
	return encoder{format: f, syslog: framed, host: syslog.Word(hostname, 255), version: version}
}

// encode returns the message of a line of the log, and whether q matches the entry. The
// message is valid until the next call. An error says that the line holds no entry.
func (e *encoder) encode(line []byte, q *query.Query) (message []byte, wanted bool, err error) {
	outcome := textOf(line, `"outcome":"`)
	if len(outcome) == 0 {
		return nil, false, errNoEntry
	}
	var entry audit.Entry
	if q != nil || e.format == CEF {
		if err := json.Unmarshal(line, &entry); err != nil {
			return nil, false, err
		}
		if !q.Match(row{&entry}) {
			return nil, false, nil
		}
	}
	e.buf = e.buf[:0]
	if e.syslog {
		e.header(line, outcome)
	}
	if e.format == CEF {
		e.buf = appendCEF(e.buf, &entry, e.host, e.version)
	} else {
		e.buf = append(e.buf, line...)
	}
	return e.buf, true, nil
}

// header writes the header of RFC 5424, Section 6, with the time of the entry. Its MSGID
// is the outcome, or "interim". There are no structured data. What follows is UTF-8 without a byte order
// mark, which receivers would take for content.
func (e *encoder) header(line, outcome []byte) {
	severity, known := severities[string(outcome)]
	if !known {
		severity = info
	}
	b := append(e.buf, '<')
	b = strconv.AppendInt(b, int64(facility*8+severity), 10)
	b = append(b, ">1 "...)
	b = appendTime(b, textOf(line, timeKey))
	b = append(b, ' ')
	b = append(b, e.host...)
	b = append(b, " clearspan - "...)
	if bytes.Contains(line, []byte(`"interim":true`)) {
		outcome = []byte(interimClass)
	}
	b = append(b, outcome...)
	e.buf = append(b, " - "...)
}

// timeKey begins every entry.
const timeKey = `{"time":"`

// textOf returns the text behind a key, as it stands in a line. A text of an entry cannot
// hold key: quotation marks within texts are escaped.
func textOf(line []byte, key string) []byte {
	_, rest, found := bytes.Cut(line, []byte(key))
	end := bytes.IndexByte(rest, '"')
	if !found || end < 0 {
		return nil
	}
	return rest[:end]
}

// timeOf returns when an entry was made, in ns since 1970; now, if it does not say.
func timeOf(line []byte) int64 {
	t, err := time.Parse(time.RFC3339Nano, string(textOf(line[:min(len(line), 64)], timeKey)))
	if err != nil {
		t = time.Now()
	}
	return t.UnixNano()
}

// microseconds is the length of a time with six digits of fraction, which a message may
// have at most (RFC 5424, Section 6.2.3).
const microseconds = len("2006-01-02T15:04:05.000000")

// appendTime appends the time of an entry as a message has it, or the nil value.
func appendTime(b, text []byte) []byte {
	if len(text) < microseconds {
		return append(b, '-')
	}
	return append(append(b, text[:microseconds]...), 'Z')
}
