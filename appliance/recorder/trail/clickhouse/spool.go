package clickhouse

import (
	"bytes"
	"encoding/gob"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/clearspan/clearspan/appliance/recorder/trail"
)

// spool is batches that the server has not got yet: a file each, named by its version.
type spool struct {
	dir  string
	size int64
}

const (
	spoolExtension   = ".batch"
	defaultSpoolSize = 1 << 30
)

var errSpoolFull = errors.New("ClickHouse is away, and the directory of batches is full")

func openSpool(dir string, size int64) (*spool, error) {
	if dir == "" {
		return nil, errors.New("there is no directory for batches")
	}
	if size <= 0 {
		size = defaultSpoolSize
	}
	return &spool{dir, size}, os.MkdirAll(dir, 0o700)
}

// list returns the versions that are kept, the oldest first, and their octets.
func (s *spool) list() (versions []uint64, octets int64, err error) {
	list, err := os.ReadDir(s.dir)
	for _, e := range list {
		name, ok := strings.CutSuffix(e.Name(), spoolExtension)
		if !ok {
			continue
		}
		version, err := strconv.ParseUint(name, 10, 64)
		if err != nil {
			continue
		}
		versions = append(versions, version)
		if i, err := e.Info(); err == nil {
			octets += i.Size()
		}
	}
	slices.Sort(versions)
	return versions, octets, err
}

// newest returns the last version that is kept; 0: none is.
func (s *spool) newest() uint64 {
	versions, _, _ := s.list()
	if len(versions) == 0 {
		return 0
	}
	return versions[len(versions)-1]
}

func (s *spool) path(version uint64) string {
	return filepath.Join(s.dir, fmt.Sprintf("%020d%s", version, spoolExtension))
}

// keep writes a batch. It is there as a whole, and for good, behind a return without an
// error.
func (s *spool) keep(version uint64, b *trail.Batch) error {
	var p bytes.Buffer
	if err := gob.NewEncoder(&p).Encode(b); err != nil {
		return err
	}
	if _, octets, err := s.list(); err != nil {
		return err
	} else if octets+int64(p.Len()) > s.size {
		return errSpoolFull
	}
	temporary := s.path(version) + ".new"
	if err := writeSynced(temporary, p.Bytes()); err != nil {
		os.Remove(temporary)
		return err
	}
	if err := os.Rename(temporary, s.path(version)); err != nil {
		return err
	}
	d, err := os.Open(s.dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

func writeSynced(path string, p []byte) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(p)
	return errors.Join(err, f.Sync(), f.Close())
}

// load reads a batch.
func (s *spool) load(version uint64) (*trail.Batch, error) {
	p, err := os.ReadFile(s.path(version))
	if err != nil {
		return nil, err
	}
	b := &trail.Batch{}
	if err := gob.NewDecoder(bytes.NewReader(p)).Decode(b); err != nil {
		return nil, fmt.Errorf("%s: %w", s.path(version), err)
	}
	return b, nil
}

// sent removes a batch.
func (s *spool) sent(version uint64) error {
	if err := os.Remove(s.path(version)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
