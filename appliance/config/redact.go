package config

import (
	"fmt"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v4"
)

// Redacted stands in the place of what was removed.
const Redacted = "(removed)"

// secretKeys are words in names of keys whose values are not for others. No key of ours
// holds a secret: files and credentials do. But a file may have others.
var secretKeys = regexp.MustCompile(`(?i)pass|secret|token|credential|pin$|api_?key|private`)

// secretParts are parts of values that are not for others: the user and password of a URL,
// and attributes of a PKCS #11 URI (RFC 7512).
var secretParts = []*regexp.Regexp{
	regexp.MustCompile(`(?i)(//)[^/@\s]*(@)`),
	regexp.MustCompile(`(?i)(pin-(?:value|source)=)[^&;?\s]*()`),
	regexp.MustCompile(`(?is)()-----BEGIN [^-]*PRIVATE KEY-----.*?(?:-----END [^-]*PRIVATE KEY-----|$)()`),
}

// Redact returns a configuration file without comments and without what may be secret. The
// error says that it cannot be read.
func Redact(data []byte) ([]byte, error) {
	root, at, err := parseTree(data)
	if err != nil {
		return nil, fmt.Errorf("line %d: %w", at.line, err)
	}
	redact((*yaml.Node)(root))
	text, err := yaml.Marshal((*yaml.Node)(root))
	if err != nil {
		return nil, fmt.Errorf("write configuration: %w", err)
	}
	return text, nil
}

// RedactText returns a text without parts that may be secret.
func RedactText(text string) string {
	for _, part := range secretParts {
		text = part.ReplaceAllString(text, "${1}"+Redacted+"${2}")
	}
	return text
}

func redact(n *yaml.Node) {
	n.HeadComment, n.LineComment, n.FootComment = "", "", ""
	switch n.Kind {
	case yaml.ScalarNode:
		n.Value = RedactText(n.Value)
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			redact(n.Content[i])
			if value := n.Content[i+1]; secretKeys.MatchString(n.Content[i].Value) && !harmless(value) {
				n.Content[i+1] = &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: Redacted}
			} else {
				redact(value)
			}
		}
	default:
		for _, item := range n.Content {
			redact(item)
		}
	}
}

// harmless reports whether a value is a word that says nothing: secrets: true.
func harmless(n *yaml.Node) bool {
	return n.Kind == yaml.ScalarNode && (strings.EqualFold(n.Value, "true") || strings.EqualFold(n.Value, "false"))
}
