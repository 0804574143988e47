// Package seal keeps the chain of evidence of a recorder: a file of lines, each of which has
// the hash of the one before and is about something that was recorded. Signatures in the
// chain (Ed25519, RFC 8032) fix all lines in front of them. Whoever has the public key, and
// knows a later hash of the chain, can tell whether anything was changed, taken away or
// added.
//
// # Files
//
// chain.jsonl is the chain, key.pem the private key (mode 0600), public.pem the other half,
// which belongs into other hands. A line that a crash has torn is cut off at the next start.
package seal

import (
	"bufio"
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// Kinds of links.
const (
	Volume    = "volume"    // a file of packets
	Rows      = "rows"      // rows of a day of the trail, From to To
	Objects   = "objects"   // a list of the files of objects that are encrypted
	Removed   = "removed"   // something that was there, and went by retention
	Access    = "access"    // lines of the log of accesses: octets From to To
	Cases     = "cases"     // how far the chain of cases has come: line To
	Timestamp = "timestamp" // of a signature, by an authority (RFC 3161)
	Stopped   = "stopped"   // the disk was too full for what Name says
	Resumed   = "resumed"   // it has room again
	Signature = "signature" // of all lines before
)

// Kinds of links of the chain of cases, see [Note].
const (
	Opened = "opened" // a case
	Closed = "closed" // a case
)

// kinds are those of links that are no signature.
var kinds = []string{Volume, Rows, Objects, Removed, Stopped, Resumed, Access, Cases, Opened, Closed}

// Link is a line of the chain.
type Link struct {
	Seq       uint64    `json:"seq"`
	At        time.Time `json:"at"`
	Kind      string    `json:"kind"`
	Name      string    `json:"name,omitempty"`
	From      int64     `json:"from,omitempty"`
	To        int64     `json:"to,omitempty"`
	Size      int64     `json:"size,omitempty"`
	Dropped   uint64    `json:"dropped,omitempty"` // frames that could not be stored meanwhile
	SHA256    string    `json:"sha256,omitempty"`
	By        string    `json:"by,omitempty"`        // the user
	Query     string    `json:"query,omitempty"`     // or what was asked for
	Case      string    `json:"case,omitempty"`      // the name of one
	Reason    string    `json:"reason,omitempty"`    // in words
	Signature string    `json:"signature,omitempty"` // base64
	Token     string    `json:"token,omitempty"`     // of a time stamp: base64
	Prev      string    `json:"prev"`                // SHA-256 of the line before, without its end
}

const (
	chainName  = "chain.jsonl"
	keyName    = "key.pem"
	publicName = "public.pem"
	maxLink    = 64 << 10
)

// Chain is one that is written. It is not safe for concurrent use.
type Chain struct {
	file   *os.File
	key    ed25519.PrivateKey
	seq    uint64
	prev   string
	signed bool // nothing came behind the last signature
}

// Open opens the chain in a directory for writing, which is begun if it is not there.
func Open(dir string) (c *Chain, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	c = &Chain{signed: true}
	if c.key, err = loadKey(dir); err != nil {
		return nil, fmt.Errorf("key of the seal: %w", err)
	}
	if c.file, err = os.OpenFile(filepath.Join(dir, chainName), os.O_RDWR|os.O_CREATE, 0o600); err != nil {
		return nil, err
	}
	end := int64(0)
	_, err = read(c.file, func(l Link, line []byte, at int64) error {
		c.seq, c.prev, c.signed = l.Seq, hashOf(line), l.Kind == Signature
		end = at + int64(len(line)) + 1
		return nil
	})
	if err == nil {
		err = c.file.Truncate(end)
	}
	if err == nil {
		_, err = c.file.Seek(end, io.SeekStart)
	}
	if err != nil {
		return nil, errors.Join(err, c.file.Close())
	}
	return c, nil
}

// loadKey reads the private key, which is made if it is not there.
func loadKey(dir string) (ed25519.PrivateKey, error) {
	name := filepath.Join(dir, keyName)
	text, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return makeKey(dir)
	}
	if err != nil {
		return nil, err
	}
	b, _ := pem.Decode(text)
	if b == nil {
		return nil, fmt.Errorf("%s is no PEM file", name)
	}
	k, err := x509.ParsePKCS8PrivateKey(b.Bytes)
	if err != nil {
		return nil, err
	}
	key, ok := k.(ed25519.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("%s is no key of Ed25519", name)
	}
	return key, nil
}

func makeKey(dir string) (ed25519.PrivateKey, error) {
	public, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	other, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return nil, err
	}
	err = os.WriteFile(filepath.Join(dir, publicName), pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: other}), 0o644)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, keyName), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600)
	}
	return key, err
}

// PublicKey reads a public key from a PEM file.
func PublicKey(file string) (ed25519.PublicKey, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	b, _ := pem.Decode(text)
	if b == nil {
		return nil, fmt.Errorf("%s is no PEM file", file)
	}
	k, err := x509.ParsePKIXPublicKey(b.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	key, ok := k.(ed25519.PublicKey)
	if !ok {
		return nil, fmt.Errorf("%s is no key of Ed25519", file)
	}
	return key, nil
}

// OwnKey returns the file of the public key that a chain was begun with.
func OwnKey(dir string) string { return filepath.Join(dir, publicName) }

// Append adds a link. Seq, At and Prev are set here.
func (c *Chain) Append(l Link) error {
	l.Seq, l.At, l.Prev = c.seq+1, time.Now().UTC(), c.prev
	if l.Kind == Signature {
		l.Signature = base64.StdEncoding.EncodeToString(ed25519.Sign(c.key, l.signed()))
	}
	line, err := json.Marshal(l)
	if err != nil {
		return err
	}
	if _, err := c.file.Write(append(line, '\n')); err != nil {
		return err
	}
	c.seq, c.prev, c.signed = l.Seq, hashOf(line), l.Kind == Signature
	return nil
}

// signed returns what the signature of a link is about: all else of the link, and by the
// hash in it all that came before.
func (l Link) signed() []byte {
	l.Signature = ""
	text, err := json.Marshal(l)
	if err != nil {
		return nil // a link has nothing that JSON lacks
	}
	return text
}

// Sign signs the chain up to here, if anything came since.
func (c *Chain) Sign() error {
	if c.signed {
		return nil
	}
	if err := c.Append(Link{Kind: Signature}); err != nil {
		return err
	}
	return c.file.Sync()
}

// Head returns the hash of the last line: whoever notes it elsewhere can tell later whether
// lines were cut off.
func (c *Chain) Head() (seq uint64, hash string) { return c.seq, c.prev }

// Close signs and closes the chain.
func (c *Chain) Close() error { return errors.Join(c.Sign(), c.file.Close()) }

func hashOf(line []byte) string {
	h := sha256.Sum256(line)
	return hex.EncodeToString(h[:])
}

// read calls f with each line. torn reports that the last one has no end.
func read(r io.Reader, f func(l Link, line []byte, at int64) error) (torn bool, err error) {
	b := bufio.NewReaderSize(r, maxLink)
	at := int64(0)
	for {
		line, err := b.ReadSlice('\n')
		if errors.Is(err, io.EOF) {
			return len(line) > 0, nil
		}
		if err != nil {
			return false, err
		}
		line = bytes.TrimSuffix(line, []byte("\n"))
		var l Link
		if err := json.Unmarshal(line, &l); err != nil {
			return false, fmt.Errorf("line at octet %d: %w", at, err)
		}
		if err := f(l, line, at); err != nil {
			return false, err
		}
		at += int64(len(line)) + 1
	}
}

// Result is what is known of a chain itself.
type Result struct {
	Links    uint64
	Signed   uint64 // links that a signature covers
	SignedAt time.Time
	Head     string
	Faults   []string // in words
}

// Verify reads the chain of a directory, and calls f with its links. The error is one of
// reading; that the chain is broken is in the result.
func Verify(dir string, key ed25519.PublicKey, f func(Link)) (r Result, err error) {
	return verifyChain(filepath.Join(dir, chainName), key, f)
}

func verifyChain(name string, key ed25519.PublicKey, f func(Link)) (r Result, err error) {
	file, err := os.Open(name)
	if err != nil {
		return r, err
	}
	defer file.Close()
	fault := func(format string, args ...any) {
		if len(r.Faults) < 100 {
			r.Faults = append(r.Faults, fmt.Sprintf(format, args...))
		}
	}
	prev := ""
	signatures := make(map[uint64]string) // the hashes of those that are good
	torn, err := read(file, func(l Link, line []byte, _ int64) error {
		r.Links++
		if l.Seq != r.Links {
			fault("link %d stands where link %d belongs: links were taken away or added", l.Seq, r.Links)
			r.Links = l.Seq
		}
		if l.Prev != prev {
			fault("link %d does not follow the one before: one of the two was changed", l.Seq)
		}
		switch {
		case l.Kind == Timestamp:
			if l.Signature != "" || l.SHA256 == "" || signatures[uint64(l.From)] != l.SHA256 {
				fault("the time stamp of link %d is about no signature", l.Seq)
			}
		case l.Kind != Signature && (l.Signature != "" || l.Token != "" || !slices.Contains(kinds, l.Kind)):
			fault("link %d is of a kind that there is not", l.Seq)
		case l.Kind == Signature:
			sig, err := base64.StdEncoding.Strict().DecodeString(l.Signature)
			if err != nil || !ed25519.Verify(key, l.signed(), sig) {
				fault("the signature of link %d is not good", l.Seq)
			} else {
				r.Signed, r.SignedAt = l.Seq, l.At
				signatures[l.Seq] = hashOf(line)
			}
		}
		if again, err := json.Marshal(l); err != nil || !bytes.Equal(again, line) {
			fault("link %d is written otherwise than it was", l.Seq)
		}
		prev = hashOf(line)
		f(l)
		return nil
	})
	r.Head = prev
	if err != nil {
		fault("the chain cannot be read on: %v", err)
		return r, nil
	}
	if torn {
		fault("the last line has no end")
	}
	return r, nil
}
