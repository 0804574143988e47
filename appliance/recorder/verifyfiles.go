package recorder

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/clearspan/clearspan/appliance/recorder/seal"
	"github.com/clearspan/clearspan/appliance/recorder/trail"
)

// objectList compares a list of files with its link.
func (v *verification) objectList(l seal.Link) error {
	name := filepath.Join(v.dir, sealDir, listDir, listName(l.From))
	v.list = l.From
	sum, size, err := sumOfFile(name)
	switch {
	case err != nil:
		v.fault("list of objects: %v", err)
		return nil
	case sum != l.SHA256 || size != l.Size:
		v.fault("list of objects: %s was changed", l.Name)
		return nil
	}
	if err := readList(name, v.files); err != nil {
		v.fault("list of objects: %v", err)
	}
	return nil
}

// lastList reads the lists that are in no link yet.
func (v *verification) lastList() error {
	for {
		v.list++
		err := readList(filepath.Join(v.dir, sealDir, listDir, listName(v.list)), v.files)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			v.fault("list of objects: %v", err)
		}
	}
}

// sealedFile compares the file of an object with its line, if it is encrypted.
func (v *verification) sealedFile(h trail.Hash) error {
	path, locked, err := v.archive.content.File(h)
	if err != nil || !locked {
		return nil
	}
	want, known := v.files[h]
	if !known {
		v.fault("content: %s is encrypted, and in no list", h)
		return nil
	}
	sum, _, err := v.hash(func() (io.ReadCloser, error) { return os.Open(path) })
	switch {
	case v.ctx.Err() != nil:
		return v.ctx.Err()
	case err != nil:
		v.fault("content: %s cannot be read: %v", h, err)
	case sum != want:
		v.fault("content: the file of %s was changed", h)
	}
	return nil
}
