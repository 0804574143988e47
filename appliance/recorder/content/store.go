package content

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/klauspost/compress/zstd"
	"golang.org/x/sys/unix"
)

// Options are those of a store. The zero value is usable.
type Options struct {
	Memory int64  // octets that objects under way hold; default 256 MiB
	Size   uint64 // octets of one object at most; default 16 GiB
	// Log is told of the first of several objects that cannot be kept; nil: nobody.
	Log func(error)
}

// Store keeps objects in a directory. Its methods are safe for concurrent use, those of
// one [Object] are not.
type Store struct {
	dir       string // "": not made yet
	temporary bool
	ready     func() error // makes the directories, once
	options   Options
	held      atomic.Int64  // octets in memory
	spooled   atomic.Uint64 // numbers of spool files
	buffers   sync.Pool     // of *[]byte with piece octets
	encoder   *zstd.Encoder
	failed    atomic.Uint64
	refusal   atomic.Pointer[error] // the last one; nil again when an object is kept
}

// piece is how many octets are written, and compressed, at once.
const piece = 256 << 10

const (
	spoolDir   = "spool"
	compressed = ".zst"
)

// Open opens the store in a directory, which it makes if it is not there. The empty
// directory stands for a temporary one, which [Store.Close] removes. It is not made before
// something is kept.
func Open(dir string, o Options) (*Store, error) {
	if o.Memory <= 0 {
		o.Memory = 256 << 20
	}
	if o.Size == 0 {
		o.Size = 16 << 30
	}
	s := &Store{dir: dir, temporary: dir == "", options: o}
	s.buffers.New = func() any { b := make([]byte, 0, piece); return &b }
	s.ready = sync.OnceValue(s.prepare)
	if s.temporary {
		return s, nil
	}
	return s, s.ready()
}

// At returns the store in a directory for reading only: what is under way there is not
// touched.
func At(dir string) *Store { return &Store{dir: dir} }

// prepare makes the directories.
func (s *Store) prepare() (err error) {
	if s.temporary {
		if s.dir, err = os.MkdirTemp("", "clearspan-content-"); err != nil {
			return fmt.Errorf("make the content store: %w", err)
		}
	}
	spool := filepath.Join(s.dir, spoolDir)
	if err := os.RemoveAll(spool); err != nil {
		return fmt.Errorf("empty the spool: %w", err)
	}
	if err := os.MkdirAll(spool, 0o700); err != nil {
		return fmt.Errorf("make the content store: %w", err)
	}
	s.encoder, err = zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1))
	return err
}

// Close removes a temporary store. No object may be under way.
func (s *Store) Close() error {
	if !s.temporary || s.dir == "" {
		return nil
	}
	return os.RemoveAll(s.dir)
}

// Keeps reports whether the store outlives the process.
func (s *Store) Keeps() bool { return !s.temporary }

// Failed returns how many objects could not be kept, because the file system said no.
func (s *Store) Failed() uint64 { return s.failed.Load() }

// Err returns why the last object that could not be kept was not; nil if others were kept
// since.
func (s *Store) Err() error {
	if e := s.refusal.Load(); e != nil {
		return *e
	}
	return nil
}

// Sync returns when all objects that ended are on the disk for good.
func (s *Store) Sync() error {
	if s.temporary {
		return nil
	}
	d, err := os.Open(s.dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return unix.Syncfs(int(d.Fd()))
}

// Path returns the file of an object, and whether it is compressed. The error is
// [fs.ErrNotExist] if the object is not kept.
func (s *Store) Path(hash [32]byte) (path string, packed bool, err error) {
	if s.dir == "" {
		return "", false, fs.ErrNotExist
	}
	path = s.file(hash)
	if _, err = os.Lstat(path); err == nil {
		return path, false, nil
	}
	if _, err2 := os.Lstat(path + compressed); err2 == nil {
		return path + compressed, true, nil
	}
	return "", false, err
}

// file returns the name of an object's file that is not compressed.
func (s *Store) file(hash [32]byte) string {
	name := hex.EncodeToString(hash[:])
	return filepath.Join(s.dir, name[:2], name)
}

// Open returns the octets of an object.
func (s *Store) Open(hash [32]byte) (io.ReadCloser, error) {
	path, packed, err := s.Path(hash)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	if err != nil || !packed {
		return f, err
	}
	d, err := zstd.NewReader(f, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(16<<20))
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &unpacked{d, f}, nil
}

// unpacked reads a compressed object.
type unpacked struct {
	*zstd.Decoder
	f *os.File
}

func (u *unpacked) Close() error {
	u.Decoder.Close()
	return u.f.Close()
}

// Remove removes an object. It is no error if it is not there.
func (s *Store) Remove(hash [32]byte) error {
	path, _, err := s.Path(hash)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return os.Remove(path)
}
