package seal

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// The chain of cases is one of its own, beside the other one and signed by its key: many
// processes write it, each for as long as it holds a lock of the file.

const (
	casesName = "cases.jsonl" // beside the chain
)

// MaxWords bounds a query, and a reason, in octets. What is longer is cut.
const MaxWords = 4 << 10

// Note appends links to the chain of cases, which is begun if it is not there, and signs it.
// They are on the disk when it returns. Other processes may do the same at the same time.
func Note(dir string, links ...Link) (err error) {
	key, err := loadKey(dir)
	if err != nil {
		return fmt.Errorf("key of the seal: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(dir, casesName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		return err
	}
	c := &Chain{file: f, key: key}
	if err := c.last(); err != nil {
		return fmt.Errorf("%s: %w", f.Name(), err)
	}
	for _, l := range links {
		l.Query, l.Reason = bounded(l.Query), bounded(l.Reason)
		if err := c.Append(l); err != nil {
			return err
		}
	}
	return c.Sign()
}

// bounded cuts words, and makes them UTF-8.
func bounded(s string) string { return strings.ToValidUTF8(s[:min(len(s), MaxWords)], "") }

// last reads the last line, cuts off one that is torn, and goes to the end.
func (c *Chain) last() error {
	size, err := c.file.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	from := max(size-2*maxLink, 0)
	tail := make([]byte, size-from)
	if _, err := c.file.ReadAt(tail, from); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	end := bytes.LastIndexByte(tail, '\n') + 1
	if err := c.file.Truncate(from + int64(end)); err != nil {
		return err
	}
	if _, err := c.file.Seek(from+int64(end), io.SeekStart); err != nil || end == 0 {
		return err
	}
	line := tail[:end-1]
	line = line[bytes.LastIndexByte(line, '\n')+1:]
	var l Link
	if err := json.Unmarshal(line, &l); err != nil {
		return err
	}
	c.seq, c.prev, c.signed = l.Seq, hashOf(line), l.Kind == Signature
	return nil
}

// CasesHead returns the number and the hash of the last line of the chain of cases; 0 if
// there is none.
func CasesHead(dir string) (seq uint64, hash string, err error) {
	err = ReadCases(dir, func(l Link) { seq = l.Seq; hash = l.Prev })
	if seq == 0 || err != nil {
		return 0, "", err
	}
	return seq - 1, hash, nil // of the line that the last one follows
}

// ReadCases calls f with the links of the chain of cases. There may be none.
func ReadCases(dir string, f func(Link)) error {
	file, err := os.Open(filepath.Join(dir, casesName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = read(file, func(l Link, _ []byte, _ int64) error { f(l); return nil })
	return err
}

// VerifyCases is [Verify] of the chain of cases. There may be none.
func VerifyCases(dir string, key ed25519.PublicKey, f func(Link)) (Result, error) {
	r, err := verifyChain(filepath.Join(dir, casesName), key, f)
	if errors.Is(err, fs.ErrNotExist) {
		return Result{}, nil
	}
	return r, err
}
