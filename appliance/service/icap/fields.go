package icap

import (
	"bytes"
	"errors"
	"slices"
	"strings"
)

// hopByHop are the fields that concern one connection only (RFC 3507, Section
// 4.4.2), in lower case. Fields that a message names in Connection are not among
// them: their receiver may heed them all the same, so a server has to see them.
var hopByHop = []string{
	"connection", "keep-alive", "proxy-connection", "proxy-authenticate", "proxy-authorization", "te", "trailer", "transfer-encoding",
	"upgrade",
}

// framing are those of them that describe the body as it came.
var framing = []string{"transfer-encoding", "trailer"}

var errHeader = errors.New("malformed header block")

// split takes hop-by-hop fields out of a header block. shown is what is left,
// the block itself if that is all; hop are the lines that were taken out, but
// those about framing.
func split(header []byte) (shown, hop []byte, err error) {
	if !bytes.HasSuffix(header, []byte("\r\n\r\n")) || len(header) > maxHead {
		return nil, nil, errHeader
	}
	shown = header
	copied := false
	at := 0
	for line := range bytes.SplitAfterSeq(header, []byte("\r\n")) {
		from := at
		at += len(line)
		name, _, _ := bytes.Cut(line, []byte(":"))
		if from == 0 || !isHop(name) {
			if copied {
				shown = append(shown, line...)
			}
			continue
		}
		if !copied {
			shown, copied = append(make([]byte, 0, len(header)), header[:from]...), true
		}
		if !slices.ContainsFunc(framing, func(f string) bool { return strings.EqualFold(f, string(name)) }) {
			hop = append(hop, line...)
		}
	}
	return shown, hop, nil
}

func isHop(name []byte) bool {
	return slices.ContainsFunc(hopByHop, func(f string) bool { return len(f) == len(name) && strings.EqualFold(f, string(name)) })
}

// adopt checks a header block that a server returned, takes hop-by-hop fields out
// and puts those of the original in.
func adopt(header []byte, response bool, hop []byte) (out []byte, status int, err error) {
	start, rest, ok := bytes.Cut(header, []byte("\r\n"))
	if !ok || !bytes.HasSuffix(header, []byte("\r\n\r\n")) {
		return nil, 0, errHeader
	}
	if response {
		if status, err = responseStatus(start); err != nil {
			return nil, 0, err
		}
	} else if !isRequestLine(start) {
		return nil, 0, errors.New("malformed request line in a header block")
	}
	length := ""
	fields := 0
	for {
		line, more, _ := bytes.Cut(rest, []byte("\r\n"))
		rest = more
		if len(line) == 0 {
			break
		}
		name, value, err := cutField(line)
		if fields++; err != nil || fields > 2*maxFields {
			return nil, 0, errHeader
		}
		if bytes.EqualFold(name, []byte("content-length")) {
			if _, ok := parseDecimal(string(value), 1<<60); !ok || length != "" {
				return nil, 0, errors.New("bad Content-Length in a header block")
			}
			length = string(value)
		}
	}
	if len(rest) > 0 {
		return nil, 0, errHeader
	}
	shown, _, err := split(header)
	if err != nil {
		return nil, 0, err
	}
	end := len(shown) - 2
	return slices.Concat(shown[:end], hop, shown[end:]), status, nil
}

// responseStatus accepts HTTP/1.0 and HTTP/1.1.
func responseStatus(line []byte) (int, error) {
	status, err := statusOf(line, "HTTP/1.1")
	if err != nil {
		status, err = statusOf(line, "HTTP/1.0")
	}
	if err == nil && status < 200 {
		err = errors.New("interim response in a header block")
	}
	return status, err
}

// isRequestLine accepts "METHOD TARGET HTTP/1.x" with single blanks.
func isRequestLine(line []byte) bool {
	words := bytes.Split(line, []byte(" "))
	if len(words) != 3 || len(words[0]) == 0 || len(words[1]) == 0 {
		return false
	}
	for _, c := range words[0] {
		if !isToken(c) {
			return false
		}
	}
	version := string(words[2])
	return clean(words[1]) && !bytes.ContainsRune(words[1], '\t') && (version == "HTTP/1.1" || version == "HTTP/1.0")
}

// withoutLength returns a checked header block without its Content-Length.
func withoutLength(header []byte) []byte {
	out := make([]byte, 0, len(header))
	for line := range bytes.SplitAfterSeq(header, []byte("\r\n")) {
		name, _, _ := bytes.Cut(line, []byte(":"))
		if !bytes.EqualFold(name, []byte("content-length")) {
			out = append(out, line...)
		}
	}
	return out
}
