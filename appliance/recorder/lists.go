package recorder

import (
	"context"
	"crypto/rand"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/clearspan/clearspan/appliance/recorder/extract"
	"github.com/clearspan/clearspan/appliance/recorder/inspect"
)

// Lists are what an operator has looked for besides what is built in. Each has a name, which
// is that of a detector.
type Lists struct {
	Dictionaries []List
	Registered   []List
	Patterns     []inspect.Pattern
}

// List is a file of a name.
type List struct {
	Name string
	// File of a dictionary has a word or phrase a line; # begins a comment. What is registered
	// is the cells of a table, whose name ends in .csv or .tsv and whose first line has the
	// headings; or else a document in any form that package extract reads; or all documents in
	// a directory; or what [Register] has written.
	File string
}

// Detectors returns the names that rules may use.
func (l *Lists) Detectors() []string {
	list := Detectors(inspect.Options{Patterns: l.Patterns})
	for _, x := range slices.Concat(l.Dictionaries, l.Registered) {
		list = append(list, x.Name)
	}
	return list
}

// check reports names that are taken.
func (l *Lists) check() error {
	list := l.Detectors()
	slices.Sort(list)
	for i := 1; i < len(list); i++ {
		if list[i] == list[i-1] {
			return fmt.Errorf("two detectors are called %s", list[i])
		}
	}
	return nil
}

// Load reads the files.
func (l *Lists) Load(ctx context.Context) (o inspect.Options, err error) {
	if err := l.check(); err != nil {
		return o, err
	}
	o.Patterns = l.Patterns
	for _, x := range l.Dictionaries {
		words, err := wordsOf(ctx, x.File)
		if err != nil {
			return o, fmt.Errorf("dictionary %s: %w", x.Name, err)
		}
		o.Dictionaries = append(o.Dictionaries, inspect.Dictionary{Name: x.Name, Words: words})
	}
	if len(l.Registered) == 0 {
		return o, nil
	}
	g := newRegistry()
	for _, x := range l.Registered {
		saved, err := loadSaved(x)
		if err == nil && saved == nil {
			err = register(ctx, g, x)
		}
		if err != nil {
			return o, fmt.Errorf("registered %s: %w", x.Name, err)
		}
		if saved != nil {
			o.Registered = append(o.Registered, saved)
		}
	}
	if len(g.Names()) > 0 {
		o.Registered = append(o.Registered, g)
	}
	return o, nil
}

// newRegistry returns a registry with a key of its own.
func newRegistry() *inspect.Registry {
	salt := make([]byte, 16)
	rand.Read(salt)
	return inspect.NewRegistry(salt)
}

// loadSaved reads a file that [Register] has written; nil: it is another one.
func loadSaved(l List) (*inspect.Registry, error) {
	f, err := os.Open(l.File)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	begin := make([]byte, len(inspect.SavedMagic))
	if _, err := io.ReadFull(f, begin); err != nil || string(begin) != inspect.SavedMagic {
		return nil, nil
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	return inspect.Load(l.Name, f)
}

// Register writes the hashes of tables and documents to a file, which may be registered in
// their place. It says how much is in it.
func Register(ctx context.Context, file string, sources []string) (what string, err error) {
	g := newRegistry()
	for _, s := range sources {
		if err := register(ctx, g, List{Name: "registered", File: s}); err != nil {
			return "", err
		}
	}
	f, err := os.OpenFile(file+".tmp", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return "", err
	}
	err = errors.Join(g.Save(f), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(file+".tmp", file)
	}
	if err != nil {
		os.Remove(file + ".tmp")
	}
	return g.String(), err
}

// wordsOf reads a dictionary.
func wordsOf(ctx context.Context, file string) (list []string, err error) {
	text, err := textOf(ctx, file)
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		if line = strings.TrimSpace(line); line != "" {
			list = append(list, line)
		}
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("%s has no words", file)
	}
	return list, nil
}

// text collects what extraction finds.
type text struct {
	strings.Builder
	fault extract.Note
}

func (t *text) Text(_ string, p []byte)                 { t.Write(p); t.WriteByte('\n') }
func (t *text) Member(string) io.WriteCloser            { return nil }
func (t *text) Note(_ string, n extract.Note, _ string) { t.fault = n }
func (t *text) Label(string, string)                    {}

// textOf returns the text of a file. One that cannot be read to its end is an error: what is
// missing would not be found.
func textOf(ctx context.Context, file string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer f.Close()
	i, err := f.Stat()
	if err != nil {
		return "", err
	}
	var t text
	err = extract.File(ctx, f, i.Size(), extract.Hint{Name: filepath.Base(file)}, extract.Limits{}, &t)
	if err == nil && t.fault != "" {
		err = fmt.Errorf("%s: its text cannot be read: %s", file, t.fault)
	}
	return t.String(), err
}

// register registers a table, a document, or those of a directory.
func register(ctx context.Context, g *inspect.Registry, l List) error {
	if err := g.AddName(l.Name); err != nil {
		return err
	}
	return filepath.WalkDir(l.File, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		switch filepath.Ext(path) {
		case ".csv":
			return registerTable(g, l.Name, path, ',')
		case ".tsv":
			return registerTable(g, l.Name, path, '\t')
		}
		text, err := textOf(ctx, path)
		if err != nil {
			return err
		}
		return g.AddDocument(l.Name, filepath.Base(path), []byte(text))
	})
}

// registerTable registers the cells of all rows but the first.
func registerTable(g *inspect.Registry, name, file string, comma rune) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	r := csv.NewReader(f)
	r.Comma, r.LazyQuotes, r.FieldsPerRecord, r.ReuseRecord = comma, true, -1, true
	for row := 0; ; row++ {
		cells, err := r.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		for _, c := range cells {
			if row == 0 {
				break
			}
			if err := g.AddCell(name, c); err != nil {
				return fmt.Errorf("%s: %w", file, err)
			}
		}
	}
}
