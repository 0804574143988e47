package http2

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// message is an HTTP/1.1 message as net/http reads it.
type message struct {
	method, path, host string
	status             int
	header, trailer    http.Header
	content            []byte
}

// readRequest reads the only request in octets.
func readRequest(octets []byte) (m message, err error) {
	in := bufio.NewReader(bytes.NewReader(octets))
	r, err := http.ReadRequest(in)
	if err != nil {
		return m, fmt.Errorf("read request %.200q: %w", octets, err)
	}
	content, err := io.ReadAll(r.Body)
	if err == nil {
		err = finished(in)
	}
	return message{method: r.Method, path: r.RequestURI, host: r.Host, header: r.Header, trailer: r.Trailer, content: content}, err
}

// readAnswer reads the only answer to a GET or POST in octets.
func readAnswer(octets []byte) (m message, err error) {
	in := bufio.NewReader(bytes.NewReader(octets))
	r, err := http.ReadResponse(in, nil)
	if err != nil {
		return m, fmt.Errorf("read answer %.200q: %w", octets, err)
	}
	content, err := io.ReadAll(r.Body)
	if err == nil {
		err = finished(in)
	}
	return message{status: r.StatusCode, header: r.Header, trailer: r.Trailer, content: content}, err
}

func finished(in *bufio.Reader) error {
	if rest, _ := io.ReadAll(in); len(rest) > 0 {
		return fmt.Errorf("%.200q behind the message", rest)
	}
	return nil
}

// countLines wants text to be a header of as many lines as fields and a first
// line make, by the strictest reading: no CR or LF but in CRLF.
func countLines(text string, lines int) error {
	body, ok := strings.CutSuffix(text, "\r\n\r\n")
	if !ok {
		return errors.New("no empty line at the end")
	}
	if got := strings.Split(body, "\r\n"); len(got) != lines {
		return fmt.Errorf("%d lines, want %d", len(got), lines)
	}
	if bare := strings.ReplaceAll(body, "\r\n", ""); strings.ContainsAny(bare, "\r\n\x00") {
		return errors.New("bare CR, LF or NUL")
	}
	return nil
}
