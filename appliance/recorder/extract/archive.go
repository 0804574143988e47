package extract

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/bzip2"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/bodgit/sevenzip"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/nwaples/rardecode/v2"

	"github.com/clearspan/clearspan/appliance/object/name"
)

// maxMember bounds the member of an archive whose text is read. Larger ones are handed out.
const maxMember = 64 << 20

// errLimit says that nothing more may be unpacked.
var errLimit = errors.New("too much is unpacked")

// counted counts what is unpacked, and ends it at the limit.
func (x *extraction) counted(r io.Reader) io.Reader { return &counter{x, r} }

type counter struct {
	x *extraction
	r io.Reader
}

func (c *counter) Read(p []byte) (int, error) {
	if err := c.x.ctx.Err(); err != nil {
		return 0, err
	}
	if c.x.left.Unpacked == 0 {
		return 0, errLimit
	}
	n, err := c.r.Read(p[:min(uint64(len(p)), c.x.left.Unpacked)])
	c.x.left.Unpacked -= uint64(n)
	return n, err
}

// member reads a member of an archive. The error is one that ends the whole archive.
func (f *found) member(file string, open func() (io.Reader, error)) error {
	if f.left.Members--; f.left.Members < 0 {
		return errLimit
	}
	if err := f.ctx.Err(); err != nil {
		return err
	}
	place := within(f.place, file)
	r, err := open()
	if err != nil {
		f.h.Note(place, Damaged, file)
		return nil
	}
	var kept bytes.Buffer
	out := f.h.Member(place)
	to := io.Writer(&limited{&kept})
	if out != nil {
		to = io.MultiWriter(out, to)
	}
	_, err = io.Copy(to, f.counted(r))
	if out != nil {
		err = errors.Join(err, out.Close())
	}
	if errors.Is(err, errLimit) || f.ctx.Err() != nil {
		return err
	}
	if err != nil {
		f.h.Note(place, Damaged, file)
	}
	if f.depth+1 > f.left.Depth {
		f.h.Note(place, Bounded, file)
		return nil
	}
	p := kept.Bytes()
	f.file(io.NewSectionReader(bytes.NewReader(p), 0, int64(len(p))), Hint{Name: file, Passwords: f.hint.Passwords}, place, f.depth+1)
	return nil
}

// limited keeps the first octets of a member.
type limited struct{ *bytes.Buffer }

func (l *limited) Write(p []byte) (int, error) {
	l.Buffer.Write(p[:min(len(p), maxMember-l.Len())])
	return len(p), nil
}

// bounded notes that a limit ended an archive.
func (f *found) bounded(err error) error {
	if errors.Is(err, errLimit) {
		f.h.Note(f.place, Bounded, "")
		return nil
	}
	return err
}

func (f *found) zip() error {
	z, err := zip.NewReader(f.r, f.r.Size())
	if err != nil {
		return err
	}
	if is, err := f.office(z); is {
		return f.bounded(err)
	}
	for _, m := range z.File {
		file := m.Name
		if m.NonUTF8 || m.Flags&0x800 == 0 {
			file = name.Decode("", []byte(m.Name))
		}
		if strings.HasSuffix(m.Name, "/") {
			continue
		}
		if m.Flags&1 != 0 {
			f.h.Note(within(f.place, file), Encrypted, file)
			p, err := f.unlock(m)
			if errors.Is(err, errLimit) || f.ctx.Err() != nil {
				return f.bounded(err)
			}
			if err == nil {
				err = f.member(file, func() (io.Reader, error) { return bytes.NewReader(p), nil })
				if err != nil {
					return f.bounded(err)
				}
			}
			continue
		}
		if err := f.member(file, func() (io.Reader, error) { return m.Open() }); err != nil {
			return f.bounded(err)
		}
	}
	return nil
}

func (f *found) sevenZip() error {
	z, err := sevenzip.NewReader(f.r, f.r.Size())
	if err != nil {
		if e, ok := errors.AsType[*sevenzip.ReadError](err); ok && e.Encrypted {
			f.h.Note(f.place, Encrypted, "")
			return nil
		}
		return err
	}
	for _, m := range z.File {
		if m.FileInfo().IsDir() {
			continue
		}
		r, err := m.Open()
		if e, ok := errors.AsType[*sevenzip.ReadError](err); ok && e.Encrypted {
			f.h.Note(within(f.place, m.Name), Encrypted, m.Name)
			continue
		}
		err = f.member(m.Name, func() (io.Reader, error) { return r, err })
		if r != nil {
			r.Close()
		}
		if err != nil {
			return f.bounded(err)
		}
	}
	return nil
}

func (f *found) rar() error {
	z, err := rardecode.NewReader(io.NewSectionReader(f.r, 0, f.r.Size()), rardecode.MaxDictionarySize(64<<20))
	if err != nil {
		if errors.Is(err, rardecode.ErrArchiveEncrypted) || errors.Is(err, rardecode.ErrArchivedFileEncrypted) {
			f.h.Note(f.place, Encrypted, "")
			return nil
		}
		return err
	}
	for {
		m, err := z.Next()
		if err == io.EOF {
			return nil
		}
		if errors.Is(err, rardecode.ErrArchiveEncrypted) || errors.Is(err, rardecode.ErrArchivedFileEncrypted) {
			f.h.Note(f.place, Encrypted, "")
			return nil
		}
		if err != nil {
			return err
		}
		if m.IsDir {
			continue
		}
		if m.Encrypted {
			f.h.Note(within(f.place, m.Name), Encrypted, m.Name)
			continue
		}
		if err := f.member(m.Name, func() (io.Reader, error) { return z, nil }); err != nil {
			return f.bounded(err)
		}
	}
}

func isTar(f *found) bool { return len(f.head) > 262 && string(f.head[257:262]) == "ustar" }

func (f *found) tar() error {
	z := tar.NewReader(io.NewSectionReader(f.r, 0, f.r.Size()))
	for {
		m, err := z.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if m.Typeflag != tar.TypeReg {
			continue
		}
		if err := f.member(name.Decode("", []byte(m.Name)), func() (io.Reader, error) { return z, nil }); err != nil {
			return f.bounded(err)
		}
	}
}

// single reads a file that is compressed alone. Its name is that of the file without the end.
func (f *found) single(file string, open func(io.Reader) (io.Reader, error)) error {
	if file == "" {
		file = name.Base(f.hint.Name)
		for _, end := range []string{".gz", ".bz2", ".xz", ".zst", ".tgz", ".tbz", ".txz"} {
			file = strings.TrimSuffix(file, end)
		}
	}
	if file == "" {
		file = "content"
	}
	return f.bounded(f.member(file, func() (io.Reader, error) { return open(io.NewSectionReader(f.r, 0, f.r.Size())) }))
}

func (f *found) gzip() error {
	z, err := gzip.NewReader(io.NewSectionReader(f.r, 0, f.r.Size()))
	if err != nil {
		return err
	}
	return f.single(name.Base(name.Decode("", []byte(z.Name))), func(io.Reader) (io.Reader, error) { return z, nil })
}

func (f *found) bzip2() error {
	return f.single("", func(r io.Reader) (io.Reader, error) { return bzip2.NewReader(r), nil })
}

func (f *found) zstd() error {
	return f.single("", func(r io.Reader) (io.Reader, error) {
		z, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(64<<20))
		if err != nil {
			return nil, fmt.Errorf("zstd: %w", err)
		}
		return z.IOReadCloser(), nil
	})
}
