package prose

import (
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const (
	maxWords = 25 // in a sentence
	maxMean  = 17 // words a sentence, in a document
)

var files = flag.String("files", "", "documents to read, separated by commas; empty: all of the project")

// TestDocuments: sentences are short and begin with their subject.
func TestDocuments(t *testing.T) {
	root := filepath.Join("..", "..")
	list := strings.FieldsFunc(*files, func(r rune) bool { return r == ',' })
	if len(list) == 0 {
		err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if name := d.Name(); d.IsDir() && (strings.HasPrefix(name, ".") && name != ".." || name == "testdata" || name == "bin" || name == "node_modules") {
				return filepath.SkipDir
			}
			// Other languages have other sentences.
			if !d.IsDir() && strings.HasSuffix(file, ".md") && !strings.HasSuffix(file, ".ja.md") {
				list = append(list, file)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if len(list) < 5 {
			t.Fatalf("found %d documents below %s: the walk is broken", len(list), root)
		}
	}
	for _, file := range list {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Error(err)
			continue
		}
		name, _ := filepath.Rel(root, file)
		sentences := Sentences(string(text))
		for _, s := range sentences {
			if s.Words > maxWords {
				t.Errorf("%s:%d: %d words, want at most %d: %s", name, s.Line, s.Words, maxWords, s.Text)
			}
			if ClauseSubject(s) {
				t.Errorf("%s:%d: begins with a clause, not with its subject: %s", name, s.Line, s.Text)
			}
		}
		if mean := Mean(sentences); mean > maxMean {
			t.Errorf("%s: %.1f words a sentence on average, want at most %d", name, mean, maxMean)
		} else {
			t.Logf("%s: %d sentences, %.1f words on average", name, len(sentences), mean)
		}
	}
}

func TestSentences(t *testing.T) {
	for _, tt := range []struct {
		name, markdown string
		want           []Sentence
	}{
		{"two", "One is here. Two\nis there.", []Sentence{{1, 3, "One is here.", false}, {1, 3, "Two is there.", false}}},
		{"heading and code", "# What it is\n```\nNot. This.\n```\nBut this.", []Sentence{{5, 2, "But this.", false}}},
		{"numbers and versions", "See RFC 9293, 3.4. It says 1.5 times.", []Sentence{{1, 4, "See RFC 9293, 3.4.", false}, {1, 4, "It says 1.5 times.", false}}},
		{"abbreviation", "Use e.g. A or B.", []Sentence{{1, 5, "Use e.g. A or B.", false}}},
		{"code span", "Run `make test. Now` here.", []Sentence{{1, 5, "Run make test· Now here.", false}}},
		{"code span first", "It ends. `make test` begins.", []Sentence{{1, 2, "It ends.", false}, {1, 3, "make test begins.", false}}},
		{"our name first", "It ends. clearspan begins.", []Sentence{{1, 2, "It ends.", false}, {1, 2, "clearspan begins.", false}}},
		{"link", "Read [the design](DESIGN.md). Then (so it is.) Go on.", []Sentence{
			{1, 3, "Read the design.", false}, {1, 4, "Then (so it is.)", false}, {1, 2, "Go on.", false}}},
		{"list", "- first\n  goes on\n- second", []Sentence{{1, 3, "first goes on", false}, {3, 1, "second", false}}},
		{"table", "| a | b c. D |\n|---|---|\n| e | f |", []Sentence{
			{1, 1, "a", true}, {1, 2, "b c.", true}, {1, 1, "D", true}, {3, 1, "e", true}, {3, 1, "f", true}}},
		{"comment", "<!-- a\nb -->\nText.", []Sentence{{3, 1, "Text.", false}}},
		{"quote", "> Said he.", []Sentence{{1, 2, "Said he.", false}}},
	} {
		got := Sentences(tt.markdown)
		if len(got) != len(tt.want) {
			t.Errorf("%s: got %+v, want %+v", tt.name, got, tt.want)
			continue
		}
		for i := range got {
			if got[i] != tt.want[i] {
				t.Errorf("%s: got %+v, want %+v", tt.name, got[i], tt.want[i])
			}
		}
	}
}

func TestClauseSubject(t *testing.T) {
	for text, want := range map[string]bool{
		"What users see is a page.": true,
		"What is it for?":           false,
		"Users see a page.":         false,
		"Whoever asks is answered.": true,
		"Some users see it.":        false,
	} {
		if got := ClauseSubject(Sentence{Text: text}); got != want {
			t.Errorf("ClauseSubject(%q) = %v", text, got)
		}
	}
}

func TestMean(t *testing.T) {
	if got := Mean(Sentences("One two. Three four five six.\n\n| a long cell of many words |")); got != 3 {
		t.Errorf("Mean = %v, want 3", got)
	}
}
