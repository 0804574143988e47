// Package trail keeps the files of the audit log. It appends whole lines to one file,
// ends that file by its size or age, compresses files that have ended, removes the oldest,
// and reads all of them in order, from a [Position] on.
//
// A file ends by a rename, so that its lines stay what and where they are. Several
// processes may append to one file: each takes the lock of the file (flock(2)) for a
// write, and looks whether the file still has its name. Nobody thus writes to a file that
// has ended, and no line is lost or cut by the end of a file.
//
// What a line says is not looked at.
package trail

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Options say when a file ends, and what becomes of it.
type Options struct {
	Size     uint64        // octets at which a file ends; 0: it has no such end
	Every    time.Duration // at multiples of which, since midnight UTC, a file ends; 0: it has no such end
	Keep     int           // ended files that stay; 0: all
	Compress bool          // ended files are compressed by Zstandard (RFC 8878)
}

// Rotates reports whether files end at all.
func (o Options) Rotates() bool { return o.Size > 0 || o.Every > 0 }

const (
	// timeLayout is the time at which a file ended, in its name. The order of names is the
	// order of files. The nine digits of the fraction have no dot before them: it would
	// be taken for the beginning of the extension.
	timeLayout = "20060102T150405"
	compressed = ".zst"
	unfinished = ".tmp" // behind the name of a file that is being compressed
)

// Name returns the name of the file at path if it ends now: "sessions.jsonl" becomes
// "sessions-20261201T093000-123456789Z.jsonl".
func Name(path string, now time.Time) string {
	ext := filepath.Ext(path)
	stamp := strings.Replace(now.UTC().Format(timeLayout+".000000000Z"), ".", "-", 1)
	return strings.TrimSuffix(path, ext) + "-" + stamp + ext
}

// stem returns the name of an ended file of path without what compression added, and
// whether it is one.
func stem(path, name string) (string, bool) {
	name = strings.TrimSuffix(name, compressed)
	ext := filepath.Ext(path)
	stamp, ok := strings.CutPrefix(name, strings.TrimSuffix(filepath.Base(path), ext)+"-")
	if !ok {
		return "", false
	}
	if stamp, ok = strings.CutSuffix(stamp, ext); !ok {
		return "", false
	}
	_, err := time.Parse(timeLayout+".000000000Z", strings.Replace(stamp, "-", ".", 1))
	return name, err == nil
}

// Ended returns the files of the trail at path that have ended, the oldest first, without
// their directory. A file of which there is also a compressed one is listed once, as it
// was.
func Ended(path string) ([]string, error) {
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if _, ok := stem(path, e.Name()); ok {
			names = append(names, e.Name())
		}
	}
	slices.Sort(names) // "x.jsonl" comes before "x.jsonl.zst"
	return slices.CompactFunc(names, func(a, b string) bool {
		return strings.TrimSuffix(a, compressed) == strings.TrimSuffix(b, compressed)
	}), nil
}
