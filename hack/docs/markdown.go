// Package docs reads the project's Markdown: code blocks, headings and links. Its
// tests hold the documents to what they say.
package docs

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"unicode"
)

// Document is a Markdown file, taken apart.
type Document struct {
	Path   string // below the root, with slashes
	Text   string
	Blocks []Block
	Links  []Link
	// Anchors are the names by which links reach its headings, as GitHub makes them.
	Anchors map[string]bool
}

// Block is a fenced block of code. A comment in front of it may name the recorder, or
// other program, that tests run it with, and the file that it is the content of:
//
//	<!-- test: suricata file=clearspan-suricata.yaml -->
type Block struct {
	Line     int    // of the fence, from 1
	Language string // may be empty
	Text     string // without the fences
	Test     string // the program of the comment; may be empty
	File     string // the file of the comment; may be empty
}

// Link is a link or an image.
type Link struct {
	Line   int
	Target string // as written
}

var (
	inlineCode = regexp.MustCompile("`[^`]*`")
	linkForm   = regexp.MustCompile(`\]\(([^()\s]+)\)`)
	marker     = regexp.MustCompile(`^<!-- test: ([a-z0-9-]+)(?: file=([A-Za-z0-9._-]+))? -->$`)
	heading    = regexp.MustCompile(`^#{1,6}\s+(.*?)\s*#*$`)
)

// Load reads all Markdown below root, but for test data and what is built.
func Load(root string) (list []*Document, err error) {
	err = filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() && (strings.HasPrefix(name, ".") && name != ".." || name == "testdata" || name == "bin" || name == "demo-out" || name == "node_modules") {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(name, ".md") {
			return nil
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		path, err := filepath.Rel(root, file)
		if err != nil {
			return err
		}
		list = append(list, Parse(filepath.ToSlash(path), string(text)))
		return nil
	})
	return list, err
}

// Parse takes the text of a document apart.
func Parse(path, text string) *Document {
	d := &Document{Path: path, Text: text, Anchors: make(map[string]bool)}
	var block *Block
	var fence string
	var next Block // what a comment says of the block behind it
	seen := make(map[string]int)
	for i, line := range strings.Split(text, "\n") {
		trimmed := strings.TrimSpace(line)
		if block != nil {
			if strings.HasPrefix(trimmed, fence) {
				d.Blocks = append(d.Blocks, *block)
				block = nil
				continue
			}
			block.Text += line + "\n"
			continue
		}
		if strings.HasPrefix(trimmed, "```") || strings.HasPrefix(trimmed, "~~~") {
			fence = trimmed[:3]
			block = &Block{Line: i + 1, Language: strings.TrimLeft(trimmed, "`~"), Test: next.Test, File: next.File}
			next = Block{}
			continue
		}
		next = Block{}
		if m := marker.FindStringSubmatch(trimmed); m != nil {
			next.Test, next.File = m[1], m[2]
		}
		if m := heading.FindStringSubmatch(line); m != nil {
			a := anchor(m[1])
			if n := seen[a]; n > 0 {
				d.Anchors[a+"-"+strconv.Itoa(n)] = true
			} else {
				d.Anchors[a] = true
			}
			seen[a]++
		}
		for _, m := range linkForm.FindAllStringSubmatch(inlineCode.ReplaceAllString(line, "`"), -1) {
			d.Links = append(d.Links, Link{i + 1, m[1]})
		}
	}
	return d
}

// anchor is the name of a heading in links.
func anchor(heading string) string {
	heading = regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`).ReplaceAllString(heading, "$1")
	var b strings.Builder
	for _, r := range strings.ToLower(heading) {
		switch {
		case r == ' ':
			b.WriteByte('-')
		case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
			b.WriteRune(r)
		}
	}
	return b.String()
}
