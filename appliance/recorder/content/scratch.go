package content

import (
	"bytes"
	"crypto/aes"
	"crypto/rand"
	"errors"
	"io"
	"os"

	"golang.org/x/crypto/xts"
)

// scratch encrypts a spool file whose octets come out of order (XTS-AES-128, IEEE 1619), with
// a key that is only in memory. A sector of zeros was never written, and is zeros.
type scratch struct{ *xts.Cipher }

const sector = 4096

var noSector [sector]byte

func newScratch() (*scratch, error) {
	key := make([]byte, 32)
	rand.Read(key)
	c, err := xts.NewCipher(aes.NewCipher, key)
	return &scratch{c}, err
}

// writeAt writes octets at a place of a file, which it makes if it is not there.
func (s *scratch) writeAt(path string, p []byte, at int64) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	buf := make([]byte, sector)
	for len(p) > 0 && err == nil {
		from := int(at % sector)
		n := min(len(p), sector-from)
		if n < sector {
			err = s.sector(f, buf, at/sector)
		}
		copy(buf[from:], p[:n])
		if err == nil {
			s.Encrypt(buf, buf, uint64(at/sector))
			_, err = f.WriteAt(buf, at/sector*sector)
		}
		p = p[n:]
		at += int64(n)
	}
	return errors.Join(err, f.Close())
}

// sector reads one.
func (s *scratch) sector(f io.ReaderAt, buf []byte, number int64) error {
	clear(buf)
	if _, err := f.ReadAt(buf, number*sector); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if !bytes.Equal(buf, noSector[:]) {
		s.Decrypt(buf, buf, uint64(number))
	}
	return nil
}

// scratchReader reads octets from the first on.
type scratchReader struct {
	*scratch
	f    io.ReaderAt
	size int64
	at   int64
	buf  []byte // what is left of the last sector
}

// Read implements [io.Reader].
func (r *scratchReader) Read(p []byte) (n int, err error) {
	for n < len(p) && r.at < r.size {
		if len(r.buf) == 0 {
			r.buf = make([]byte, sector)
			if err := r.sector(r.f, r.buf, r.at/sector); err != nil {
				return n, err
			}
		}
		m := copy(p[n:min(len(p), n+int(min(r.size-r.at, sector)))], r.buf)
		r.buf = r.buf[m:]
		r.at += int64(m)
		n += m
	}
	if n == 0 && len(p) > 0 {
		return 0, io.EOF
	}
	return n, nil
}
