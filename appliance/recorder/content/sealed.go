package content

import (
	"bufio"
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"hash"
	"io"
	"os"
	"sync"
	"time"

	"filippo.io/age"

	"github.com/clearspan/clearspan/appliance/recorder/agefile"
)

// sealing is the spool file of an object that is encrypted, in order.
type sealing struct {
	key    *agefile.Key
	stream *agefile.Stream
	sum    hash.Hash // of the file
	header bool      // it is in the file
	aside  cipher.Block
	spilt  int // octets of the chunk that is pending which lie in the file
}

// encrypts reports whether objects are encrypted.
func (s *Store) encrypts() bool { return s.options.Recipients != nil }

func (s *Store) newSealing() (*sealing, error) {
	k, err := agefile.NewKey(s.options.Recipients)
	if err != nil {
		return nil, err
	}
	return &sealing{key: k, stream: agefile.NewStream(k), sum: sha256.New()}, nil
}

// append writes octets to the file; last ends it.
func (x *sealing) append(path string, p []byte, last bool) error {
	at := x.stream.Offset()
	var out []byte
	if !x.header {
		at, out = 0, append(make([]byte, 0, len(x.key.Header())+len(p)+agefile.Overhead), x.key.Header()...)
	}
	out = x.stream.Append(out, p)
	if last {
		out = x.stream.End(out)
	}
	if len(out) == 0 {
		return nil
	}
	x.header = true
	x.sum.Write(out)
	return writeAt(path, out, at)
}

// seal writes octets of an object to its spool file.
func (o *Object) seal(p []byte, last bool) (err error) {
	s := &o.spool
	if s.sealing == nil {
		if s.sealing, err = o.store.newSealing(); err != nil {
			return err
		}
	}
	x := s.sealing
	if err := o.unspill(); err != nil {
		return err
	}
	before := len(x.stream.Pending())
	err = x.append(s.path, p, last)
	o.store.held.Add(int64(len(x.stream.Pending()) - before))
	if err == nil && !last && o.store.held.Load() > o.store.options.Memory {
		return o.spill()
	}
	return err
}

// asideAt encrypts octets of the chunk that is pending, or decrypts them, for the time in which
// there is no memory for them. The same octets always are at the same place.
func (x *sealing) asideAt(p []byte) (err error) {
	if x.aside == nil {
		var key [32]byte
		rand.Read(key[:])
		if x.aside, err = aes.NewCipher(key[:]); err != nil {
			return err
		}
	}
	var iv [aes.BlockSize]byte
	n := x.stream.Chunks()
	for i := range 8 {
		iv[i] = byte(n >> (8 * (7 - i)))
	}
	cipher.NewCTR(x.aside, iv[:]).XORKeyStream(p, p)
	return nil
}

// spill puts the chunk that is pending into the file, behind the whole ones.
func (o *Object) spill() error {
	x := o.spool.sealing
	p := x.stream.Take()
	o.store.held.Add(-int64(len(p)))
	if err := x.asideAt(p); err != nil {
		return err
	}
	err := writeAt(o.spool.path, p, x.stream.Offset())
	x.spilt = len(p)
	return err
}

// unspill takes it back.
func (o *Object) unspill() error {
	x := o.spool.sealing
	if x.spilt == 0 {
		return nil
	}
	p := make([]byte, x.spilt)
	x.spilt = 0
	f, err := os.Open(o.spool.path)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.ReadAt(p, x.stream.Offset()); err != nil {
		return err
	}
	if err := x.asideAt(p); err != nil {
		return err
	}
	x.stream.Append(nil, p)
	o.store.held.Add(int64(len(p)))
	return nil
}

const (
	maxKeys = 1 << 16
	keysFor = time.Hour // what is put together of parts reads them again
)

// cleartext returns what was appended up to now. It must be read before more is.
func (o *Object) cleartext(f *os.File) (io.Reader, error) {
	if err := o.unspill(); err != nil {
		return nil, err
	}
	x := o.spool.sealing
	r := x.key.Growing(f, x.stream.Chunks())
	return buffered(io.MultiReader(io.NewSectionReader(r, 0, r.Size()), bytes.NewReader(x.stream.Pending()))), nil
}

// reseal makes an encrypted file in order of one whose octets came out of order, and hashes
// it.
func (o *Object) reseal() (err error) {
	old, aside := o.spool.path, o.spool.scratch
	o.spool.path, o.spool.scratch = o.store.spoolFile(), nil
	take := func(p []byte) {
		if err == nil {
			err = o.seal(p, false)
		}
	}
	if old == "" {
		o.zero(o.size, take)
		return err
	}
	defer os.Remove(old)
	f, err := os.Open(old)
	if err != nil {
		return err
	}
	defer f.Close()
	buf := make([]byte, piece)
	in := &scratchReader{scratch: aside, f: f, size: int64(o.size)}
	for {
		n, err2 := io.ReadFull(in, buf)
		o.sum.Write(buf[:n])
		take(buf[:n])
		switch {
		case err != nil:
			return err
		case errors.Is(err2, io.EOF), errors.Is(err2, io.ErrUnexpectedEOF):
			return nil
		case err2 != nil:
			return err2
		}
	}
}

// keyring has the keys of the objects that were kept last.
type keyring struct {
	mu    sync.Mutex
	keys  map[[32]byte]*agefile.Key
	order []keyAt
}

type keyAt struct {
	hash [32]byte
	key  *agefile.Key
	at   time.Time
}

func (r *keyring) add(hash [32]byte, k *agefile.Key) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.keys == nil {
		r.keys = make(map[[32]byte]*agefile.Key)
	}
	r.keys[hash] = k
	r.order = append(r.order, keyAt{hash, k, time.Now()})
	r.expire(maxKeys)
}

func (r *keyring) get(hash [32]byte) *agefile.Key {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.keys[hash]
}

// expire forgets what is old, and all but n.
func (r *keyring) expire(n int) {
	for len(r.order) > 0 && (len(r.order) > n || time.Since(r.order[0].at) >= keysFor) {
		if first := r.order[0]; r.keys[first.hash] == first.key {
			delete(r.keys, first.hash)
		}
		r.order[0].key = nil
		r.order = r.order[1:]
	}
}

// Expire forgets the keys of objects that were kept more than an hour ago. It is to be called
// now and then.
func (s *Store) Expire() {
	s.keys.mu.Lock()
	defer s.keys.mu.Unlock()
	s.keys.expire(maxKeys)
}

// Identify has the store open objects that are encrypted to one of the identities.
func (s *Store) Identify(with []age.Identity) { s.identities = with }

// cleartext is the cleartext of a file. It takes over the file.
type cleartext struct {
	*io.SectionReader
	f *os.File
}

func (c cleartext) Close() error { return c.f.Close() }

// unlock returns the cleartext of a file. It takes over the file.
func (s *Store) unlock(f *os.File, hash [32]byte) (c cleartext, err error) {
	i, err := f.Stat()
	if err != nil {
		return c, err
	}
	k := s.keys.get(hash)
	if k == nil {
		if k, err = agefile.Unlock(f, s.identities); err != nil {
			return c, err
		}
	}
	r, err := agefile.NewReader(f, i.Size(), k)
	if err != nil {
		return c, err
	}
	return cleartext{io.NewSectionReader(r, 0, r.Size()), f}, nil
}

// buffered reads whole chunks of a cleartext at once.
func buffered(r io.Reader) io.Reader { return bufio.NewReaderSize(r, agefile.Chunk) }
