package recorder

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/clearspan/clearspan/appliance/recorder/retain"
	"github.com/clearspan/clearspan/appliance/recorder/seal"
	"github.com/clearspan/clearspan/appliance/recorder/trail"
)

// Case is a query with a name. As long as it is open, retention leaves alone what it asks for.
type Case struct {
	Name   string     `json:"name"`
	Query  string     `json:"query"`
	Reason string     `json:"reason"`
	By     string     `json:"by"`
	Opened time.Time  `json:"opened"`
	Closed *time.Time `json:"closed,omitempty"` // nil: it is open
	Why    string     `json:"closed_reason,omitempty"`
}

const (
	caseDir  = "case"
	keepLock = "keep.lock" // who has it removes, or holds
)

var caseName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_-]{0,63}$`)

// Cases returns the cases of a directory, in the order in which they were opened.
func Cases(dir string) (list []Case, err error) {
	err = seal.ReadCases(filepath.Join(dir, sealDir), func(l seal.Link) { list = caseLink(list, l) })
	return list, err
}

// caseLink has cases be as a link says.
func caseLink(list []Case, l seal.Link) []Case {
	switch l.Kind {
	case seal.Opened:
		return append(list, Case{Name: l.Case, Query: l.Query, Reason: l.Reason, By: l.By, Opened: l.At})
	case seal.Closed:
		for i := range list {
			if list[i].Name == l.Case && list[i].Closed == nil {
				at := l.At
				list[i].Closed, list[i].Why = &at, l.Reason
			}
		}
	}
	return list
}

// FindCase returns a case of a directory.
func FindCase(dir, name string) (*Case, error) {
	list, err := Cases(dir)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(list, func(c Case) bool { return c.Name == name })
	if i < 0 {
		return nil, fmt.Errorf("there is no case %q", name)
	}
	return &list[i], nil
}

// CaseDirectory returns the directory of a case. It has what the case holds, as the directory
// of a recorder has it.
func CaseDirectory(dir, name string) string { return filepath.Join(dir, caseDir, name) }

// Held counts what a case holds.
type Held struct {
	Events, Objects, Sessions int
	Missing                   int // objects whose octets are not there any more
}

// OpenCase opens a case, and holds what its query asks for. It waits while a recorder removes
// something.
func OpenCase(ctx context.Context, dir, where string, c Case) (held Held, err error) {
	if !caseName.MatchString(c.Name) {
		return held, fmt.Errorf("%q is no name of a case: letters, digits, - and _", c.Name)
	}
	if c.Reason == "" {
		return held, errors.New("a case needs a reason")
	}
	if _, err := trail.Language.Parse(c.Query); err != nil {
		return held, err
	}
	if max(len(c.Query), len(c.Reason)) > seal.MaxWords {
		return held, fmt.Errorf("query and reason of a case have %d octets at most", seal.MaxWords)
	}
	a, unlock, err := openToHold(dir, where)
	if err != nil {
		return held, err
	}
	defer unlock()
	if _, err := FindCase(dir, c.Name); err == nil {
		return held, fmt.Errorf("there is a case %q already", c.Name)
	}
	err = seal.Note(filepath.Join(dir, sealDir), seal.Link{Kind: seal.Opened, Case: c.Name, Query: c.Query, Reason: c.Reason, By: c.By})
	if err != nil {
		return held, err
	}
	held, err = a.hold(ctx, dir, &c)
	return held, errors.Join(err, giveToOwner(dir, filepath.Join(dir, caseDir)), giveToOwner(dir, filepath.Join(dir, sealDir)), giveIndex(dir))
}

// CloseCase closes a case: what it held may go when it is too old. The copies in its directory
// stay.
func CloseCase(ctx context.Context, dir, name, reason, by string) error {
	if reason == "" {
		return errors.New("the end of a case needs a reason")
	}
	c, err := FindCase(dir, name)
	if err != nil {
		return err
	}
	if c.Closed != nil {
		return fmt.Errorf("case %q is closed", name)
	}
	unlock, err := lockKeeping(dir, true)
	if err != nil {
		return err
	}
	defer unlock()
	if err := seal.Note(filepath.Join(dir, sealDir), seal.Link{Kind: seal.Closed, Case: name, Reason: reason, By: by}); err != nil {
		return err
	}
	x, err := retain.Open(filepath.Join(dir, indexName))
	if err != nil {
		return err
	}
	return errors.Join(x.Unpin(ctx, name), x.Close(), giveToOwner(dir, filepath.Join(dir, sealDir)), giveIndex(dir))
}

// openToHold opens an archive whose recorder removes nothing meanwhile.
func openToHold(dir, where string) (a *Archive, unlock func(), err error) {
	if a, err = OpenArchive(dir, where); err != nil {
		return nil, nil, err
	}
	free, err := lockKeeping(dir, true)
	if err != nil {
		return nil, nil, errors.Join(err, a.Close())
	}
	if a.index, err = retain.Open(filepath.Join(dir, indexName)); err != nil {
		free()
		return nil, nil, errors.Join(err, a.Close())
	}
	return a, func() { a.Close(); free() }, nil
}

// lockKeeping has nothing be removed, or held, by others until unlock is called. If others do,
// it waits for them, or returns [unix.EAGAIN].
func lockKeeping(dir string, patient bool) (unlock func(), err error) {
	f, err := os.OpenFile(filepath.Join(dir, keepLock), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	how := unix.LOCK_EX | unix.LOCK_NB
	if patient {
		how = unix.LOCK_EX
	}
	if err := errors.Join(giveToOwner(dir, f.Name()), unix.Flock(int(f.Fd()), how)); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() { f.Close() }, nil
}

// giveToOwner gives what root has made to the owner of a directory, whose recorder goes on
// with it.
func giveToOwner(dir, made string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	var st unix.Stat_t
	if err := unix.Stat(dir, &st); err != nil || st.Uid == 0 {
		return err
	}
	return filepath.WalkDir(made, func(path string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, int(st.Uid), -1)
	})
}

// giveIndex gives the files of the index of objects to the owner of a directory.
func giveIndex(dir string) error {
	list, err := filepath.Glob(filepath.Join(dir, indexName+"*"))
	for _, name := range list {
		err = errors.Join(err, giveToOwner(dir, name))
	}
	return err
}
