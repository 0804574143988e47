package recorder

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/clearspan/clearspan/appliance/recorder/analyst"
	"github.com/clearspan/clearspan/appliance/recorder/seal"
	"github.com/clearspan/clearspan/appliance/recorder/trail"
)

// listDir has lists of the files of objects that are encrypted: lines of two SHA-256, of the
// object and of the file. Each list is in a link of the chain. So files can be verified by
// who cannot read them.
const listDir = "objects"

// objectList is the list that is written.
type objectList struct {
	dir     string
	mu      sync.Mutex
	waiting []byte   // lines
	number  int64    // of the list
	linked  int64    // the last one that is in the chain
	file    *os.File // nil: not begun
}

func listName(number int64) string { return fmt.Sprintf("%08d.txt", number) }

// newObjectList returns the list behind those of a directory. It is made when it gets lines.
func newObjectList(dir string) (*objectList, error) {
	names, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	l := &objectList{dir: dir, number: 1}
	for _, n := range names {
		var number int64
		if _, err := fmt.Sscanf(n.Name(), "%08d.txt", &number); err == nil {
			l.number = max(l.number, number+1)
		}
	}
	return l, nil
}

// note adds an object.
func (l *objectList) note(object, file [32]byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waiting = hex.AppendEncode(l.waiting, object[:])
	l.waiting = append(l.waiting, ' ')
	l.waiting = hex.AppendEncode(l.waiting, file[:])
	l.waiting = append(l.waiting, '\n')
}

// flush writes what was noted.
func (l *objectList) flush() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.waiting) == 0 {
		return nil
	}
	if l.file == nil {
		if err := os.MkdirAll(l.dir, 0o700); err != nil {
			return err
		}
		f, err := os.OpenFile(filepath.Join(l.dir, listName(l.number)), os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
		if err != nil {
			return err
		}
		l.file = f
	}
	n, err := l.file.Write(l.waiting)
	l.waiting = l.waiting[n:]
	return err
}

// end ends the list, and returns links of the lists that have none, in order.
func (l *objectList) end() (links []seal.Link, err error) {
	if err := l.flush(); err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file != nil {
		err = errors.Join(l.file.Sync(), l.file.Close())
		l.file = nil
		l.number++
	}
	for n := l.linked + 1; n < l.number && err == nil; n++ {
		sum, size, err := sumOfFile(filepath.Join(l.dir, listName(n)))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		links = append(links, seal.Link{Kind: seal.Objects, Name: listName(n), From: n, Size: size, SHA256: sum})
	}
	return links, err
}

func sumOfFile(name string) (sum string, size int64, err error) {
	f, err := os.Open(name)
	if err != nil {
		return "", 0, err
	}
	defer f.Close()
	h := sha256.New()
	size, err = io.Copy(h, f)
	return hex.EncodeToString(h.Sum(nil)), size, err
}

// listed writes the list before the rows that name its objects.
type listed struct {
	analyst.Output
	list *objectList
}

func (l listed) Write(ctx context.Context, b *trail.Batch) error {
	if err := l.list.flush(); err != nil {
		return err
	}
	return l.Output.Write(ctx, b)
}

// readList reads the lines of a list. Later ones count.
func readList(name string, into map[trail.Hash]string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		object, file, ok := strings.Cut(lines.Text(), " ")
		h, err := trail.ParseHash(object)
		if err != nil || !ok {
			return fmt.Errorf("%s: a line has no two SHA-256", filepath.Base(name))
		}
		into[h] = file
	}
	return lines.Err()
}
