package recorder

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/clearspan/clearspan/appliance/recorder/extract"
	"github.com/clearspan/clearspan/appliance/recorder/inspect"
	"github.com/clearspan/clearspan/appliance/recorder/judge"
	"github.com/clearspan/clearspan/appliance/recorder/trail"
	"github.com/clearspan/clearspan/hack/tempo"
)

// innocent are places of a Debian machine with documents, programs, lists and logs. None of
// their files has data that somebody must be told of.
func innocent() []string {
	root := "/usr/local/go"
	if program, err := exec.LookPath("go"); err == nil {
		if program, err = filepath.EvalSymlinks(program); err == nil {
			root = filepath.Dir(filepath.Dir(program))
		}
	}
	return []string{
		"/usr/share/doc", "/usr/share/man", "/usr/share/info", "/usr/share/perl", "/usr/lib/python3", "/usr/share/common-licenses", "/usr/share/i18n", "/usr/share/mime",
		"/etc", "/var/lib/dpkg/info", "/var/lib/apt/lists", "/var/log", "/usr/include", "/usr/lib/node_modules", "/usr/lib/google-cloud-sdk", "/usr/share/vim", "/usr/share/package-lists", "/usr/share/texmf", "/usr/lib/modules", "/usr/lib/postgresql",
		filepath.Join(root, "src"), filepath.Join(root, "test"), filepath.Join(os.Getenv("HOME"), "go/pkg/mod"),
	}
}

// documents returns files below directories, at most so many of each, in an order that does
// not depend on their places.
func documents(dirs []string, most int, largest int64) (list []string) {
	for _, dir := range dirs {
		var some []string
		filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return nil // others remain
			}
			if d.IsDir() && (d.Name() == ".git" || d.Name() == "testdata" || d.Name() == "node_modules" && path != dir) {
				return fs.SkipDir
			}
			if i, err := d.Info(); err == nil && i.Mode().IsRegular() && 0 < i.Size() && i.Size() <= largest {
				some = append(some, path)
			}
			return nil
		})
		step := max(len(some)/most, 1)
		for i := 0; i < len(some) && i/step < most; i += step {
			list = append(list, some[i])
		}
	}
	return list
}

// TestInnocentFiles: of 10,000 files that are on a machine anyway, one is told of at most.
func TestInnocentFiles(t *testing.T) {
	list := documents(innocent(), tempo.Of(15, 2000), int64(tempo.Of(1<<20, 64<<20)))
	x, err := inspect.New(inspect.Options{})
	if err != nil {
		t.Fatal(err)
	}
	j, err := judge.New(judge.Config{})
	if err != nil {
		t.Fatal(err)
	}
	told, octets := 0, int64(0)
	for _, file := range list {
		f, err := os.Open(file)
		if err != nil {
			continue
		}
		i, err := f.Stat()
		if err != nil {
			t.Fatal(err)
		}
		e, _ := (*textReader)(nil).examine(t.Context(), x, f, i.Size(), extract.Hint{Name: filepath.Base(file)})
		f.Close()
		octets += i.Size()
		b := &trail.Batch{Events: []trail.Event{{}}, Sightings: []trail.Sighting{{}}}
		e.rows(&b.Events[0], &b.Sightings[0], b)
		if list := j.Judge(b, &judge.Users{}); len(list) > 0 {
			told++
			t.Logf("%s: %+v", file, slices.Collect(func(yield func(trail.Finding) bool) {
				for _, x := range list {
					yield(*x.Finding)
				}
			}))
		}
	}
	t.Logf("%d of %d files (%d MiB) are told of", told, len(list), octets>>20)
	if told > max(len(list)/10_000, 1) {
		t.Errorf("%d of %d files are told of", told, len(list))
	}
}
