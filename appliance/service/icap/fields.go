package icap

import (
	"bytes"
	"errors"
	"slices"

	"github.com/clearspan/clearspan/decrypt/proto/http1"
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
	if !bytes.HasSuffix(header, []byte("\r\n\r\n")) || len(header) > maxBlocks {
		return nil, nil, errHeader
	}
	shown = header
	copied := false
	section := http1.Section(header)
	at := len(header) - len(section)
	for f := range http1.Fields(section) {
		from := at
		at += len(f.Line)
		if !isHop(f.Name) {
			if copied {
				shown = append(shown, f.Line...)
			}
			continue
		}
		if !copied {
			shown, copied = append(make([]byte, 0, len(header)), header[:from]...), true
		}
		if !slices.ContainsFunc(framing, func(word string) bool { return http1.Is(f.Name, word) }) {
			hop = append(hop, f.Line...)
		}
	}
	if copied {
		shown = append(shown, header[at:]...)
	}
	return shown, hop, nil
}

func isHop(name []byte) bool {
	return slices.ContainsFunc(hopByHop, func(word string) bool { return http1.Is(name, word) })
}

// adopt checks a header block that a server returned, takes hop-by-hop fields out
// and puts those of the original in.
func adopt(header []byte, response bool, hop []byte) (out []byte, status int, err error) {
	start, _, ok := bytes.Cut(header, []byte("\r\n"))
	if !ok {
		return nil, 0, errHeader
	}
	if response {
		if status, err = responseStatus(start); err != nil {
			return nil, 0, err
		}
	} else if !isRequestLine(start) {
		return nil, 0, errors.New("malformed request line in a header block")
	}
	section := http1.Section(header)
	at, lengths, count := 0, 0, 0
	for f := range http1.Fields(section) {
		at += len(f.Line)
		if count++; f.Fault != http1.Sound || count > 2*maxFields {
			return nil, 0, errHeader
		}
		if http1.Is(f.Name, "content-length") {
			if _, ok := http1.ParseLength(f.Value); !ok || lengths > 0 {
				return nil, 0, errors.New("bad Content-Length in a header block")
			}
			lengths++
		}
	}
	if string(section[at:]) != "\r\n" {
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
	status, err := statusOf(line, "HTTP/1.1", "HTTP/1.0")
	if err == nil && status < 200 {
		err = errors.New("interim response in a header block")
	}
	return status, err
}

// isRequestLine accepts "METHOD TARGET HTTP/1.x" with single blanks.
func isRequestLine(line []byte) bool {
	r, fault := http1.ParseRequestLine(line, http1.Strict)
	return fault == http1.Sound && (string(r.Version) == "HTTP/1.1" || string(r.Version) == "HTTP/1.0")
}

// withoutLength returns a checked header block without its Content-Length.
func withoutLength(header []byte) []byte {
	section := http1.Section(header)
	out := append(make([]byte, 0, len(header)), header[:len(header)-len(section)]...)
	for f := range http1.Fields(section) {
		if !http1.Is(f.Name, "content-length") {
			out = append(out, f.Line...)
		}
	}
	return append(out, "\r\n"...)
}
