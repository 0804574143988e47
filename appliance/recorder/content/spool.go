package content

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
)

// spool is the file of an object that is not complete. It is not open between writes: there
// may be more objects than descriptors.
type spool struct {
	path    string // "": none
	packed  bool
	written int64    // octets in a compressed file
	scratch *scratch // set if the file is encrypted, and octets come out of order
	sealing *sealing // set once something of an object that is encrypted is in the file
}

// remove removes the file.
func (x *spool) remove() {
	if x.path != "" {
		os.Remove(x.path)
		x.path = ""
	}
}

// spoolFile returns a name that no other object has.
func (s *Store) spoolFile() string {
	return filepath.Join(s.dir, spoolDir, strconv.FormatUint(s.spooled.Add(1), 10))
}

// flush writes what is in memory to the spool file.
func (o *Object) flush() {
	if o.buf == nil || len(*o.buf) == 0 {
		return
	}
	p := *o.buf
	at := int64(o.size) - int64(len(p))
	o.begin(p, at)
	var err error
	switch {
	case o.store.encrypts():
		err = o.seal(o.pack(p), false)
	case o.spool.packed:
		p = o.pack(p)
		at = o.spool.written
		o.spool.written += int64(len(p))
		fallthrough
	default:
		err = writeAt(o.spool.path, p, at)
	}
	o.release()
	if err != nil {
		o.fail(err)
	}
}

// begin begins the spool file, if there is none, of which p comes first.
func (o *Object) begin(p []byte, at int64) {
	if o.spool.path == "" {
		o.spool.path = o.store.spoolFile()
		o.spool.packed = len(p) > 0 && at == 0 && !o.brief && o.store.shrinks(p[:min(len(p), sample)])
	}
}

// pack compresses octets, if those of the file are.
func (o *Object) pack(p []byte) []byte {
	if !o.spool.packed || len(p) == 0 {
		return p
	}
	return o.store.encoder.EncodeAll(p, nil)
}

// last writes what is in memory, and completes the spool file.
func (o *Object) last() error {
	if o.store.encrypts() {
		var p []byte
		if o.buf != nil {
			p = *o.buf
		}
		o.begin(p, int64(o.size)-int64(len(p)))
		err := o.seal(o.pack(p), true)
		o.release()
		return err
	}
	o.flush()
	if o.ended.Err != nil {
		return o.ended.Err
	}
	if o.spool.path == "" { // no octet, or holes only
		o.spool.path = o.store.spoolFile()
		if err := writeAt(o.spool.path, nil, 0); err != nil {
			return err
		}
	}
	if o.spool.packed {
		return nil
	}
	return os.Truncate(o.spool.path, int64(o.size)) // a hole at the end
}

// sample is how many octets tell whether compression is worth it.
const sample = 16 << 10

// shrinks reports whether compression takes off an eighth.
func (s *Store) shrinks(p []byte) bool { return len(s.encoder.EncodeAll(p, nil)) < len(p)-len(p)/8 }

// writeAt writes octets at an offset of a file, which it makes if it is not there.
func writeAt(path string, p []byte, at int64) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(p, at)
	return errors.Join(err, f.Close())
}

// settle gives the object its name. The hash is known.
func (o *Object) settle() {
	there, is := o.store.kept(o.ended.Hash)
	if is && o.store.readable(&there, o.ended.Hash) {
		o.drop()
		o.ended.Stored = stored(there.path)
		return
	}
	made, err := o.name(o.store.file(o.ended.Hash))
	if err != nil {
		o.fail(err)
		return
	}
	if is && there.path != made {
		os.Remove(there.path)
	}
	o.ended.Stored = stored(made)
	o.store.refusal.Store(nil)
}

// drop removes the spool file.
func (o *Object) drop() {
	if x := o.spool.sealing; x != nil {
		o.store.held.Add(-int64(len(x.stream.Take())))
		o.spool.sealing = nil
	}
	o.spool.remove()
}

// name completes the spool file and renames it.
func (o *Object) name(path string) (string, error) {
	if err := o.last(); err != nil {
		return "", err
	}
	if o.spool.packed {
		path += compressed
	}
	if o.store.encrypts() {
		path += locked
	}
	err := os.Rename(o.spool.path, path)
	if errors.Is(err, os.ErrNotExist) {
		if err = os.MkdirAll(filepath.Dir(path), 0o700); err == nil {
			err = os.Rename(o.spool.path, path)
		}
	}
	if err == nil && o.store.encrypts() {
		o.sealed()
	}
	return path, err
}

// sealed tells of an encrypted file that has its name.
func (o *Object) sealed() {
	x := o.spool.sealing
	o.store.held.Add(-int64(len(x.stream.Take())))
	o.spool.sealing = nil
	o.store.keys.add(o.ended.Hash, x.key)
	if tell := o.store.options.Sealed; tell != nil {
		tell(o.ended.Hash, [32]byte(x.sum.Sum(nil)))
	}
}

// stored returns the size of a file.
func stored(path string) uint64 {
	i, err := os.Lstat(path)
	if err != nil {
		return 0
	}
	return max(uint64(i.Size()), 1)
}
