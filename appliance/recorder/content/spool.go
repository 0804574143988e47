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
	written int64 // octets in a compressed file
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
	if o.spool.path == "" {
		o.spool.path = o.store.spoolFile()
		o.spool.packed = at == 0 && !o.brief && o.store.shrinks(p[:min(len(p), sample)])
	}
	if o.spool.packed {
		p = o.store.encoder.EncodeAll(p, nil)
		at = o.spool.written
		o.spool.written += int64(len(p))
	}
	err := writeAt(o.spool.path, p, at)
	o.release()
	if err != nil {
		o.fail(err)
	}
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
	if path, packed, err := o.store.Path(o.ended.Hash); err == nil {
		o.spool.remove()
		o.ended.Stored = o.stored(path, packed)
		return
	}
	path := o.store.file(o.ended.Hash)
	if err := o.name(path); err != nil {
		o.fail(err)
		return
	}
	o.ended.Stored = o.stored(path, o.spool.packed)
	o.store.refusal.Store(nil)
}

// name completes the spool file and renames it.
func (o *Object) name(path string) error {
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
		path += compressed
	} else if err := os.Truncate(o.spool.path, int64(o.size)); err != nil { // a hole at the end
		return err
	}
	err := os.Rename(o.spool.path, path)
	if errors.Is(err, os.ErrNotExist) {
		if err = os.MkdirAll(filepath.Dir(path), 0o700); err == nil {
			err = os.Rename(o.spool.path, path)
		}
	}
	return err
}

// stored returns the size of a file.
func (o *Object) stored(path string, packed bool) uint64 {
	if packed && filepath.Ext(path) != compressed {
		path += compressed
	}
	i, err := os.Lstat(path)
	if err != nil {
		return 0
	}
	return max(uint64(i.Size()), 1)
}
