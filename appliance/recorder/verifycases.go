package recorder

import (
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/clearspan/clearspan/appliance/recorder/seal"
	"github.com/clearspan/clearspan/appliance/recorder/trail"
	"github.com/clearspan/clearspan/appliance/recorder/trail/sqlite"
	"github.com/clearspan/clearspan/appliance/recorder/volume"
)

// cases verifies the chain of cases, and what they hold.
func (v *verification) cases() error {
	var list []Case
	links := make(map[string][]seal.Link) // of cases
	r, err := seal.VerifyCases(filepath.Join(v.dir, sealDir), v.key, func(l seal.Link) {
		if want := v.anchors[l.Seq-1]; want != "" && l.Prev != want {
			v.fault("chain of cases: line %d is not the one that was sealed", l.Seq-1)
		}
		delete(v.anchors, l.Seq-1)
		if l.Kind == seal.Rows || l.Kind == seal.Volume {
			links[l.Case] = append(links[l.Case], l)
		}
		list = caseLink(list, l)
	})
	if err != nil {
		return err
	}
	for _, f := range r.Faults {
		v.fault("chain of cases: %s", f)
	}
	for seq := range v.anchors {
		v.fault("chain of cases: lines behind number %d are missing", seq-1)
	}
	if r.Links > r.Signed {
		v.fault("chain of cases: lines behind number %d are not signed", r.Signed)
	}
	for i := range list {
		v.Cases++
		if err := v.heldCase(&list[i], links[list[i].Name]); err != nil {
			return err
		}
	}
	return nil
}

// heldCase compares what a case holds with its links.
func (v *verification) heldCase(c *Case, links []seal.Link) error {
	dir := CaseDirectory(v.dir, c.Name)
	v.say("case " + c.Name)
	if _, err := os.Stat(filepath.Join(dir, trailDir)); err != nil {
		v.fault("case %s: its directory is missing", c.Name)
		return nil
	}
	store, err := sqlite.Open(filepath.Join(dir, trailDir))
	if err != nil {
		v.fault("case %s: its rows cannot be read: %v", c.Name, err)
		return nil
	}
	defer store.Close()
	for _, l := range links {
		if err := v.caseLink(c.Name, dir, store, l); err != nil {
			return err
		}
	}
	if c.Closed != nil {
		return nil // its objects may be gone
	}
	return store.Objects(v.ctx, func(h [32]byte, _ uint64) error {
		if _, _, err := v.archive.content.File(h); errors.Is(err, fs.ErrNotExist) {
			v.fault("case %s: content %s is missing", c.Name, trail.Hash(h))
		}
		return v.ctx.Err()
	})
}

// caseLink compares rows, or packets, of a case with a link.
func (v *verification) caseLink(name, dir string, store *sqlite.Store, l seal.Link) error {
	if l.Kind == seal.Volume {
		file := volume.File(filepath.Join(dir, volumeDir), uint64(l.From))
		sum, size, err := v.hash(func() (io.ReadCloser, error) { return os.Open(file) })
		switch {
		case v.ctx.Err() != nil:
			return v.ctx.Err()
		case errors.Is(err, fs.ErrNotExist):
			v.fault("case %s: %s is missing", name, l.Name)
		case err != nil:
			v.fault("case %s: %v", name, err)
		case sum != l.SHA256 || size != l.Size:
			v.fault("case %s: %s was changed", name, l.Name)
		}
		return nil
	}
	d, err := store.Digest(v.ctx, l.Name, l.From, l.To)
	switch {
	case v.ctx.Err() != nil:
		return v.ctx.Err()
	case err != nil:
		v.fault("case %s: events of %s cannot be read: %v", name, l.Name, err)
	case d == nil || d.Events < l.Size:
		v.fault("case %s: events of %s are missing", name, l.Name)
	case d.Events != l.Size || hex.EncodeToString(d.SHA256[:]) != l.SHA256:
		v.fault("case %s: events of %s were changed", name, l.Name)
	}
	return nil
}
