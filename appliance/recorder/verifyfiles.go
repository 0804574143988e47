package recorder

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/clearspan/clearspan/appliance/recorder/seal"
	"github.com/clearspan/clearspan/appliance/recorder/trail"
	"github.com/clearspan/clearspan/appliance/recorder/tsa"
)

// timestamp verifies a token. That it is about a signature was looked at before.
func (v *verification) timestamp(l seal.Link) {
	token, err := base64.StdEncoding.DecodeString(l.Token)
	var hash []byte
	if err == nil {
		hash, err = hex.DecodeString(l.SHA256)
	}
	if err == nil && len(hash) != 32 {
		err = errors.New("it is about no hash")
	}
	var at time.Time
	if err == nil {
		at, err = tsa.Verify(token, [32]byte(hash), v.roots)
	}
	if err != nil {
		v.fault("the time stamp of link %d is not good: %v", l.Seq, err)
		return
	}
	v.Stamps++
	v.Stamped, v.Stamp = uint64(l.From), at
}

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

// hash hashes what can be read.
func (v *verification) hash(open func() (io.ReadCloser, error)) (sum string, size int64, err error) {
	r, err := open()
	if err != nil {
		return "", 0, err
	}
	defer r.Close()
	h := sha256.New()
	size, err = io.Copy(h, &interrupted{v.ctx, r})
	return hex.EncodeToString(h.Sum(nil)), size, err
}

// interrupted ends reading with a context.
type interrupted struct {
	ctx context.Context
	r   io.Reader
}

func (i *interrupted) Read(p []byte) (int, error) {
	if err := i.ctx.Err(); err != nil {
		return 0, err
	}
	return i.r.Read(p)
}
