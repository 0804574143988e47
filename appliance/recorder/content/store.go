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

	"filippo.io/age"
	"github.com/klauspost/compress/zstd"
	"golang.org/x/sys/unix"

	"github.com/clearspan/clearspan/appliance/recorder/agefile"
)

// Options are those of a store. The zero value is usable.
type Options struct {
	Memory int64  // octets that objects under way hold; default 256 MiB
	Size   uint64 // octets of one object at most; default 16 GiB
	// Recipients can read the objects, and nobody else; nil: anybody. For an hour, the store
	// can, too.
	Recipients []age.Recipient
	// Sealed is told of the files of objects that are encrypted: the SHA-256 of the object, and
	// of the file. An object may get another file. Nil: nobody.
	Sealed func(object, file [32]byte)
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
	keys      keyring
	again     again

	identities []age.Identity
	refusal    atomic.Pointer[error] // the last one; nil again when an object is kept
}

// piece is how many octets are written, and compressed, at once.
const piece = 256 << 10

const (
	spoolDir   = "spool"
	compressed = ".zst"
	locked     = ".age"
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

// File returns the file of an object, and whether it is encrypted. The error is
// [fs.ErrNotExist] if the object is not kept.
func (s *Store) File(hash [32]byte) (path string, encrypted bool, err error) {
	f, err := s.find(hash)
	return f.path, f.locked, err
}

// file is one of an object.
type file struct {
	path           string
	packed, locked bool
}

// find finds the file of an object.
func (s *Store) find(hash [32]byte) (f file, err error) {
	if s.dir == "" {
		return f, fs.ErrNotExist
	}
	base := s.file(hash)
	for _, f := range []file{{base, false, false}, {base + compressed, true, false}, {base + locked, false, true}, {base + compressed + locked, true, true}} {
		if _, err2 := os.Lstat(f.path); err2 == nil {
			return f, nil
		} else if err == nil {
			err = err2
		}
	}
	return f, err
}

// readable reports whether the store can read a file that it has.
func (s *Store) readable(f *file, hash [32]byte) bool {
	return !f.locked || s.keys.get(hash) != nil
}

// file returns the name of an object's file that is not compressed.
func (s *Store) file(hash [32]byte) string {
	name := hex.EncodeToString(hash[:])
	return filepath.Join(s.dir, name[:2], name)
}

// ErrLocked says that an object is encrypted, and that no identity opens it.
var ErrLocked = agefile.ErrLocked

// Open returns the octets of an object; [ErrLocked] if it is encrypted, and cannot be read.
func (s *Store) Open(hash [32]byte) (io.ReadCloser, error) {
	found, err := s.find(hash)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(found.path)
	if err != nil {
		return nil, err
	}
	in := io.Reader(f)
	if found.locked {
		c, err := s.unlock(f, hash)
		if err != nil {
			return nil, errors.Join(err, f.Close())
		}
		if !found.packed {
			return c, nil
		}
		in = buffered(c)
	}
	if !found.packed {
		return f, nil
	}
	d, err := zstd.NewReader(in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(16<<20))
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
