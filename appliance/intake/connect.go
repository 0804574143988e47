package intake

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"syscall"
	"time"
)

const (
	headBuffer    = 16 << 10 // octets of a request head, of all but a few
	maxHead       = 64 << 10 // at most: tokens of Kerberos are long
	headTimeout   = 10 * time.Second
	connectPrefix = "CONNECT "
	established   = "HTTP/1.1 200 Connection established\r\n\r\n"
)

// httpError is a request to be refused with a status and one line of text.
type httpError struct {
	status int
	text   string
}

func (e *httpError) Error() string { return "read proxy request: " + e.text }

func badRequest(text string) error { return &httpError{http.StatusBadRequest, text} }

// readConnect reads the head of a CONNECT request (RFC 9110, Section 9.3.6; RFC
// 9112, Section 3.2.3); what follows it stays in r. It insists on the grammar: lines end in CRLF, fields are not
// folded, there is no content. The error is an *httpError or that of reading.
func readConnect(r *bufio.Reader) (destination, error) {
	line, size, err := readHeadLine(r, 0)
	if err != nil {
		return destination{}, err
	}
	target, ok := bytes.CutPrefix(line, []byte(connectPrefix))
	if !ok {
		return destination{}, badRequest("malformed request line")
	}
	target, version, ok := bytes.Cut(target, []byte(" "))
	if !ok || !bytes.HasPrefix(version, []byte("HTTP/")) {
		return destination{}, badRequest("malformed request line")
	}
	if v := string(version); v != "HTTP/1.1" && v != "HTTP/1.0" {
		return destination{}, &httpError{http.StatusHTTPVersionNotSupported, "only HTTP/1.0 and HTTP/1.1 are supported"}
	}
	dst, err := parseAuthority(string(target), 0)
	if err != nil {
		return destination{}, badRequest("CONNECT needs host:port")
	}
	for {
		if line, size, err = readHeadLine(r, size); err != nil {
			return destination{}, err
		}
		if len(line) == 0 {
			return dst, nil
		}
		if err := checkField(line); err != nil {
			return destination{}, err
		}
	}
}

// readHeadLine returns the next line without its CRLF, valid until the next
// read, and size grown by its length.
func readHeadLine(r *bufio.Reader, size int) ([]byte, int, error) {
	line, err := r.ReadSlice('\n')
	for long := []byte(nil); errors.Is(err, bufio.ErrBufferFull) && size+len(line) <= maxHead; line = long {
		long = append(long, line[len(long):]...)
		var more []byte
		more, err = r.ReadSlice('\n')
		long = append(long, more...)
	}
	size += len(line)
	switch {
	case errors.Is(err, bufio.ErrBufferFull) || size > maxHead:
		return nil, size, &httpError{http.StatusRequestHeaderFieldsTooLarge, "the request head is too large"}
	case err != nil:
		return nil, size, fmt.Errorf("read proxy request: %w", err)
	}
	line, ok := bytes.CutSuffix(line, []byte("\r\n"))
	if !ok {
		return nil, size, badRequest("line does not end in CRLF")
	}
	return line, size, nil
}

// checkField judges a field line (RFC 9112, Section 5).
func checkField(line []byte) error {
	name, value, ok := bytes.Cut(line, []byte(":"))
	if !ok || len(name) == 0 {
		return badRequest("malformed field")
	}
	for _, c := range name {
		if !isToken(c) {
			return badRequest("malformed field name")
		}
	}
	for _, c := range value {
		if c < ' ' && c != '\t' || c == 0x7f {
			return badRequest("malformed field value")
		}
	}
	value = bytes.Trim(value, " \t")
	if bytes.EqualFold(name, []byte("Transfer-Encoding")) ||
		bytes.EqualFold(name, []byte("Content-Length")) && string(value) != "0" {
		return badRequest("CONNECT has no content")
	}
	return nil
}

// isToken reports whether c may stand in a token (RFC 9110, Section 5.6.2).
func isToken(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
		strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}

// refusal translates a failure to reach a destination for an HTTP client.
func refusal(err error) *httpError {
	var refused *httpError
	switch {
	case errors.As(err, &refused):
		return refused
	case errors.Is(err, errForbidden):
		return &httpError{http.StatusForbidden, "this destination may not be reached through the proxy"}
	case errors.Is(err, errUnresolved):
		return &httpError{http.StatusBadGateway, "the name of the destination has no address"}
	case errors.Is(err, errBusy):
		return &httpError{http.StatusServiceUnavailable, "too many sessions"}
	case errors.Is(err, syscall.ECONNREFUSED):
		return &httpError{http.StatusBadGateway, "the destination refused the connection"}
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return &httpError{http.StatusGatewayTimeout, "the destination did not answer in time"}
	}
	return &httpError{http.StatusBadGateway, "the destination did not answer"}
}

// writeRefusal answers conn with e and ends it, see [writePage].
func writeRefusal(conn clientConn, e *httpError) {
	writePage(conn, e.status, "text/plain", append([]byte(e.text), '\n'))
}

// writePage answers conn with UTF-8 text of a media type and ends it so that the
// answer arrives: what the client is still sending is read for a short while, for
// octets that nobody reads make the kernel reset the connection.
func writePage(conn clientConn, status int, kind string, page []byte) {
	head := fmt.Appendf(nil, "HTTP/1.1 %d %s\r\nContent-Type: %s; charset=utf-8\r\nContent-Length: %d\r\nConnection: close\r\n\r\n",
		status, http.StatusText(status), kind, len(page))
	conn.Write(append(head, page...))
	linger(conn)
}

// linger closes the writing half and reads on for a moment.
func linger(conn clientConn) {
	conn.CloseWrite()
	conn.SetReadDeadline(time.Now().Add(500 * time.Millisecond))
	io.CopyN(io.Discard, conn, 64<<10)
}
