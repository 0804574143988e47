package mail

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"io"
	"slices"

	"github.com/clearspan/clearspan/decrypt/proto/line"
)

// asParts returns content whose header is not known as a message that has it in each form
// that it may have: a scanner decodes one of them. Its boundary cannot be guessed.
func asParts(c *content) (media string, body io.Reader, n int64) {
	boundary := rand.Text()
	var list []io.Reader
	text := func(format string, args ...any) {
		p := fmt.Appendf(nil, format, args...)
		list, n = append(list, bytes.NewReader(p)), n+int64(len(p))
	}
	text("MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=%s\r\n\r\n", boundary)
	for _, header := range formsOf(c) {
		text("--%s\r\n%s\r\n\r\n", boundary, header)
		r, octets := c.text()
		list, n = append(list, r), n+octets
		text("\r\n")
	}
	text("--%s--\r\n", boundary)
	return "message/rfc822", io.MultiReader(list...), n
}

// maxForms bounds the boundaries that content may have, and maxBoundary their octets (RFC
// 2046, Section 5.1.1).
const (
	maxForms    = 8
	maxBoundary = 70
)

// formsOf returns the headers that content may have: each transfer coding (RFC 2045,
// Section 6) that makes a difference, and each boundary of parts that is in it. Decoders
// of base64 pass over what is not of its alphabet.
func formsOf(c *content) (headers []string) {
	lines := line.Buffer{Head: maxBoundary + len("--\r\n") + 1}
	base64, equals := true, false
	var boundaries []string
	buffer := make([]byte, 4<<10)
	r, _ := c.text()
	for {
		k, err := r.Read(buffer)
		for p := buffer[:k]; len(p) > 0; {
			text, n, whole := lines.Next(p)
			base64 = base64 && !bytes.ContainsFunc(p[:n], notBase64)
			equals = equals || bytes.IndexByte(p[:n], '=') >= 0
			if p = p[n:]; whole && len(boundaries) < maxForms {
				boundaries = addBoundary(boundaries, text)
			}
		}
		if err != nil {
			break
		}
	}
	const octets = "Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: "
	headers = []string{octets + "base64"}
	if !base64 {
		headers = append(headers, octets+"8bit")
	}
	if !base64 && equals {
		headers = append(headers, octets+"quoted-printable")
	}
	for _, b := range boundaries {
		headers = append(headers, fmt.Sprintf("Content-Type: multipart/mixed; boundary=%q", b))
	}
	return headers
}

func notBase64(c rune) bool {
	return (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '+' && c != '/' && c != '=' && c != '\r' && c != '\n'
}

// addBoundary adds the boundary that a line begins a part by, if it is a new one.
func addBoundary(list []string, text []byte) []string {
	text, ok := bytes.CutPrefix(bytes.TrimRight(text, line.Blanks), []byte("--"))
	if !ok || len(text) == 0 || len(text) > maxBoundary || bytes.ContainsFunc(text, func(c rune) bool { return c < ' ' || c >= 0x7f || c == '"' || c == '\\' }) {
		return list
	}
	if b := string(text); !slices.Contains(list, b) {
		return append(list, b)
	}
	return list
}
