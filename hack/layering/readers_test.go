package layering

import (
	"go/ast"
	"go/token"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A mark is something that a reader of a protocol cannot do without. It occurs in one
// package, so that a protocol has one reader.
type mark struct {
	name      string
	text      *regexp.Regexp    // a string literal that is one
	imported  string            // a package whose import is one
	constants *regexp.Regexp    // the name of a constant that is one
	home      string            // the folder of the reader
	except    map[string]string // other folders, with the reason
}

var marks = []mark{
	{
		name: "client preface of HTTP/2",
		text: regexp.MustCompile(`^PRI \* HTTP/2\.0`),
		home: "decrypt/proto/http2",
		except: map[string]string{
			"decrypt/proto/http1": "it is no request of HTTP/1",
			"mirror/conformance":  "it judges frames with code of its own",
		},
	},
	{
		name:      "frame type of HTTP/2",
		constants: regexp.MustCompile(`(?i)^(frame|type)?(headers|rststream|pushpromise|goaway|windowupdate|continuation)(frame|type)?$`),
		home:      "decrypt/proto/http2",
		except:    map[string]string{"decrypt/proto/websocket": "its messages have continuations, too"},
	},
	{
		name:      "frame of WebSocket",
		constants: regexp.MustCompile(`(?i)^(op|opcode|frame|type)?pong(frame)?$`),
		home:      "decrypt/proto/websocket",
	},
	{
		name:     "another's frames of WebSocket",
		imported: "golang.org/x/net/websocket",
		home:     "decrypt/proto/websocket",
	},
	{
		name:     "another's frames of HTTP/2",
		imported: "golang.org/x/net/http2",
		home:     "decrypt/proto/http2",
	},
	{
		name:   "chunked coding of HTTP/1",
		text:   regexp.MustCompile(`(?i)^chunked$`),
		home:   "decrypt/proto/http1",
		except: map[string]string{"appliance/feed/http2": "it writes messages"},
	},
	{
		name: "envelope of SMTP",
		text: regexp.MustCompile(`(?i)^(MAIL|RCPT|BDAT)( FROM| TO)?:?$`),
		home: "decrypt/proto/smtp",
		except: map[string]string{
			"decrypt/sniff":             "it tells servers of mail by the commands that they name",
			"appliance/recorder/retain": "a class of what is kept has the name",
			"appliance/recorder/trail":  "its rows have such words for kinds of events and of recipients",
		},
	},
	{
		name:   "commands of IMAP",
		text:   regexp.MustCompile(`(?i)^(AUTHENTICATE|FETCH|APPEND|COMPRESS)$`),
		home:   "decrypt/proto/imap",
		except: map[string]string{"decrypt/sniff": "it tells clients by their first commands"},
	},
	{
		name: "items of an IMAP message",
		text: regexp.MustCompile(`(?i)^(BODY|BINARY|RFC822(\.[A-Z]+)?)$`),
		home: "decrypt/proto/imap",
		except: map[string]string{
			"appliance/cmd/clearspan": "a flag names the file of a program",
			"appliance/object":        "members of JSON have such names",
		},
	},
	{
		name: "commands of POP3",
		text: regexp.MustCompile(`^(APOP|STLS|UIDL)$`),
		home: "decrypt/proto/pop3",
		except: map[string]string{
			"decrypt/sniff":      "it tells clients by their first commands",
			"mirror/conformance": "it judges octets with code of its own",
		},
	},
}

// TestOneReader: what the product is made of has one reader for each protocol.
func TestOneReader(t *testing.T) {
	found := make(map[string]map[string]bool) // folders by mark
	for dir := range closure(t, product) {
		for _, f := range sources(t, dir) {
			for _, m := range marks {
				if !m.in(f) {
					continue
				}
				if found[m.name] == nil {
					found[m.name] = make(map[string]bool)
				}
				found[m.name][dir] = true
			}
		}
	}
	for _, m := range marks {
		dirs := found[m.name]
		for _, dir := range slices.Sorted(maps.Keys(dirs)) {
			if dir != m.home && m.except[dir] == "" {
				t.Errorf("%s: %s reads it, beside %s", m.name, dir, m.home)
			}
		}
		for dir := range m.except {
			if !dirs[dir] {
				t.Errorf("%s: %s is an exception without need", m.name, dir)
			}
		}
		if m.imported == "" && !dirs[m.home] {
			t.Errorf("%s: %s does not read it", m.name, m.home)
		}
	}
}

// in reports whether a file holds the mark.
func (m *mark) in(f *ast.File) (found bool) {
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.ImportSpec:
			path, _ := strconv.Unquote(n.Path.Value)
			found = found || m.imported != "" && path == m.imported
			return false
		case *ast.BasicLit:
			if n.Kind == token.STRING && m.text != nil {
				text, _ := strconv.Unquote(n.Value)
				found = found || m.text.MatchString(strings.TrimSpace(text))
			}
		case *ast.GenDecl:
			if n.Tok != token.CONST || m.constants == nil {
				break
			}
			for _, spec := range n.Specs {
				for _, name := range spec.(*ast.ValueSpec).Names {
					found = found || m.constants.MatchString(name.Name)
				}
			}
		}
		return !found
	})
	return found
}
