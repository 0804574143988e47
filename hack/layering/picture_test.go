package layering

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// picture is appliance/DESIGN.md's drawing of the dependency directions: the floor
// of each folder that it names, 0 for the highest.
type picture map[string]int

// readPicture reads the code block below the heading "Dependency directions". An
// arrow begins a floor.
func readPicture(t *testing.T) picture {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "appliance", "DESIGN.md"))
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile("(?s)## Dependency directions\n```\n(.*?)```").FindSubmatch(text)
	if block == nil {
		t.Fatal("DESIGN.md has no picture of the dependency directions")
	}
	p, floor := make(picture), 0
	for line := range strings.Lines(string(block[1])) {
		if strings.Contains(line, "▼") {
			floor++
			continue
		}
		for folder := range strings.FieldsSeq(line) {
			if _, again := p[folder]; again {
				t.Errorf("%s is in the picture twice", folder)
			}
			p[folder] = floor
		}
	}
	if floor < 3 || len(p) < 10 {
		t.Fatalf("read %d folders on %d floors: the picture cannot be read", len(p), floor+1)
	}
	return p
}

// folder returns the name in the picture that a package belongs to: its own, or that
// of the nearest folder above it; "" if there is none.
func (p picture) folder(dir string) string {
	for ; dir != "."; dir = path.Dir(dir) {
		if _, ok := p[dir]; ok {
			return dir
		}
	}
	return ""
}

// allows reports whether a package in dir may import one in imported.
func (p picture) allows(dir, imported string) bool {
	from, to := p.folder(dir), p.folder(imported)
	return from == to || p[from] < p[to]
}

// TestPicture: imports lead down in DESIGN.md's picture, and everything in it exists.
func TestPicture(t *testing.T) {
	p, root := readPicture(t), filepath.Join("..", "..")
	files, used := 0, make(map[string]bool)
	err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(root, file)
		dir := path.Dir(filepath.ToSlash(rel))
		if d.IsDir() {
			_, err := os.Stat(filepath.Join(file, "go.mod"))
			if other := err == nil && rel != "."; other || rel != "." && strings.HasPrefix(d.Name(), ".") || rel == "bin" || d.Name() == "testdata" {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			return nil
		}
		files++
		if p.folder(dir) == "" {
			t.Errorf("%s is not in the picture", dir)
			return nil
		}
		used[p.folder(dir)] = true
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, spec := range f.Imports {
			name, _ := strconv.Unquote(spec.Path.Value)
			if imported, ours := strings.CutPrefix(name, module+"/"); ours && !p.allows(dir, imported) {
				t.Errorf("%s imports %s, which is not below %s in DESIGN.md's picture", rel, imported, p.folder(dir))
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if files < 20 {
		t.Fatalf("only %d files found below %s: the walk is broken", files, root)
	}
	for folder := range p {
		if !used[folder] {
			t.Errorf("%s is in DESIGN.md's picture and has no Go files", folder)
		}
	}
}

// TestPictureBites: imports upward and beside are found.
func TestPictureBites(t *testing.T) {
	p := readPicture(t)
	for _, tt := range []struct {
		dir, imported string
		want          bool
	}{
		{"appliance", "decrypt/policy", true},
		{"decrypt/policy", "appliance", false},
		{"decrypt", "mirror", false},
		{"mirror/xdp", "mirror/afpacket", true},
		{"certs", "decrypt/policy", false},
		{"bench", "hack/lab", true},
		{"hack/lab", "bench", false},
		{"appliance/audit", "appliance/config", false},
		{"appliance/config", "mirror", true},
		{"appliance/cmd/clearspan", "appliance", true},
	} {
		if got := p.allows(tt.dir, tt.imported); got != tt.want {
			t.Errorf("%s importing %s: allowed = %v, want %v", tt.dir, tt.imported, got, tt.want)
		}
	}
}
