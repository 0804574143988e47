package agefile

import (
	"bytes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"filippo.io/age"
	"golang.org/x/crypto/chacha20poly1305"
)

const (
	// Chunk is how many octets are sealed at once. Only the last chunk of a file has fewer.
	Chunk = 64 << 10
	// Overhead is how many octets a sealed chunk is longer.
	Overhead = chacha20poly1305.Overhead
	sealed   = Chunk + Overhead
	nonce    = 16 // octets between header and chunks
)

// ErrLocked says that a file is encrypted, and that there is no identity that opens it.
var ErrLocked = errors.New("it is encrypted, and no identity opens it")

// ErrDamaged says that a chunk is not as it was written.
var ErrDamaged = errors.New("an encrypted chunk is damaged")

// Key is the key of one file. Its methods are safe for concurrent use.
type Key struct {
	aead   cipher.AEAD
	header []byte // with the nonce
}

// NewKey returns the key of a new file that the recipients can read.
func NewKey(to []age.Recipient) (*Key, error) {
	var key []byte
	noting := make([]age.Recipient, len(to))
	for i, r := range to {
		noting[i] = &noted{r, &key}
	}
	var header bytes.Buffer
	if _, err := age.Encrypt(&header, noting...); err != nil {
		return nil, err
	}
	return newKey(key, header.Bytes())
}

// noted is a recipient whose file key is noted.
type noted struct {
	age.Recipient
	key *[]byte
}

// WrapWithLabels implements [age.RecipientWithLabels].
func (n *noted) WrapWithLabels(key []byte) (s []*age.Stanza, labels []string, err error) {
	*n.key = bytes.Clone(key)
	if r, ok := n.Recipient.(age.RecipientWithLabels); ok {
		return r.WrapWithLabels(key)
	}
	s, err = n.Wrap(key)
	return s, nil, err
}

// newKey makes the key of a file from the one in its header. The nonce ends the header.
func newKey(fileKey, header []byte) (*Key, error) {
	k, err := hkdf.Key(sha256.New, fileKey, header[len(header)-nonce:], "payload", chacha20poly1305.KeySize)
	if err != nil {
		return nil, err
	}
	aead, err := chacha20poly1305.New(k)
	return &Key{aead, header}, err
}

// Header returns the octets in front of the first chunk. They must not be changed.
func (k *Key) Header() []byte { return k.header }

// Seal appends a sealed chunk to dst. The same number must not be sealed with other octets.
func (k *Key) Seal(dst, chunk []byte, number uint64, last bool) []byte {
	n := nonceOf(number, last)
	return k.aead.Seal(dst, n[:], chunk, nil)
}

// open appends the octets of a sealed chunk to dst.
func (k *Key) open(dst, chunk []byte, number uint64, last bool) ([]byte, error) {
	n := nonceOf(number, last)
	p, err := k.aead.Open(dst, n[:], chunk, nil)
	if err != nil {
		return dst, fmt.Errorf("chunk %d: %w", number, ErrDamaged)
	}
	return p, nil
}

func nonceOf(number uint64, last bool) (n [chacha20poly1305.NonceSize]byte) {
	binary.BigEndian.PutUint64(n[3:], number)
	if last {
		n[len(n)-1] = 1
	}
	return n
}

// HeaderSize returns how many octets stand in front of the first chunk of a file.
func HeaderSize(file io.ReaderAt) (int64, error) {
	header, err := age.ExtractHeader(io.NewSectionReader(file, 0, 1<<20))
	if err != nil {
		return 0, err
	}
	return int64(len(header)) + nonce, nil
}

// Unlock returns the key of a file; [ErrLocked] if no identity opens it.
func Unlock(file io.ReaderAt, with []age.Identity) (*Key, error) {
	if len(with) == 0 {
		return nil, ErrLocked
	}
	header, err := age.ExtractHeader(io.NewSectionReader(file, 0, 1<<20))
	if err != nil {
		return nil, err
	}
	key, err := age.DecryptHeader(header, with...)
	if _, none := errors.AsType[*age.NoIdentityMatchError](err); none {
		return nil, ErrLocked
	}
	if err != nil {
		return nil, err
	}
	all := make([]byte, len(header)+nonce)
	if _, err := file.ReadAt(all, 0); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if !bytes.Equal(all[:len(header)], header) {
		return nil, fmt.Errorf("header: %w", ErrDamaged)
	}
	return newKey(key, all)
}

// Recipients reads recipients as age writes them: age1...
func Recipients(names []string) (list []age.Recipient, err error) {
	for _, name := range names {
		r, err := age.ParseRecipients(bytes.NewReader([]byte(name)))
		if err != nil {
			return nil, fmt.Errorf("recipient %q: %w", name, err)
		}
		list = append(list, r...)
	}
	return list, nil
}

// Identities reads a file of age-keygen.
func Identities(file string) ([]age.Identity, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	list, err := age.ParseIdentities(f)
	if err != nil {
		return nil, fmt.Errorf("identity %s: %w", file, err)
	}
	return list, nil
}
