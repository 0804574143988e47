package control

import (
	"bytes"
	"fmt"
	"net/http"
)

// Text is an answer that is text, of a content type.
type Text struct {
	Type string
	Body []byte
}

// ConfigText is the type of an answer that is a configuration.
const ConfigText = "application/yaml"

func (s *Server) metrics(*http.Request) (any, error) {
	var b bytes.Buffer
	if err := s.operations.Metrics(&b); err != nil {
		return nil, fmt.Errorf("read metrics: %w", err)
	}
	return Text{"text/plain; version=0.0.4; charset=utf-8", b.Bytes()}, nil
}

func (s *Server) configuration(*http.Request) (any, error) {
	text, err := s.operations.Configuration()
	return Text{ConfigText, text}, err
}

func (s *Server) recent(*http.Request) (any, error) {
	return Text{"text/plain; charset=utf-8", []byte(s.operations.Log())}, nil
}
