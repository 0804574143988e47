// Package tsa asks a time-stamping authority for tokens (RFC 3161), and verifies them: a
// token says that a hash was there at some time, and the authority signs it.
package tsa

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"time"

	"github.com/digitorus/pkcs7"
	"github.com/digitorus/timestamp"
)

// MaxToken bounds a token, in octets.
const MaxToken = 32 << 10

const answerLimit = 10 * time.Second

var client = &http.Client{Timeout: answerLimit, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

// Request asks the authority at a URL for a token of a SHA-256 (RFC 3161, Section 3.4). The
// token has the authority's certificates. They are not judged here: see [Verify].
func Request(ctx context.Context, url string, hash [32]byte) (token []byte, err error) {
	var number [8]byte
	rand.Read(number[:])
	nonce := new(big.Int).SetUint64(binary.BigEndian.Uint64(number[:])>>1 + 1)
	question, err := (&timestamp.Request{HashAlgorithm: crypto.SHA256, HashedMessage: hash[:], Certificates: true, Nonce: nonce}).Marshal()
	if err != nil {
		return nil, err
	}
	q, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(question))
	if err != nil {
		return nil, err
	}
	q.Header.Set("Content-Type", "application/timestamp-query")
	a, err := client.Do(q)
	if err != nil {
		return nil, err
	}
	defer a.Body.Close()
	text, err := io.ReadAll(io.LimitReader(a.Body, MaxToken+1))
	switch {
	case err != nil:
		return nil, err
	case a.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("the time-stamping authority answers %s", a.Status)
	case len(text) > MaxToken:
		return nil, errors.New("the token of the time-stamping authority is too large")
	}
	t, err := parse(func() (*timestamp.Timestamp, error) { return timestamp.ParseResponse(text) })
	if err != nil {
		return nil, err
	}
	if t.Nonce == nil || t.Nonce.Cmp(nonce) != 0 {
		return nil, errors.New("the token of the time-stamping authority is for another question")
	}
	return t.RawToken, about(t, hash)
}

// parse reads a token. The library is for well-formed ones: what has it panic is broken.
func parse(read func() (*timestamp.Timestamp, error)) (t *timestamp.Timestamp, err error) {
	defer func() {
		if recover() != nil {
			t, err = nil, errors.New("the token is broken")
		}
	}()
	return read()
}

// about returns an error if a token is not about a hash.
func about(t *timestamp.Timestamp, hash [32]byte) error {
	if t.HashAlgorithm != crypto.SHA256 || !bytes.Equal(t.HashedMessage, hash[:]) {
		return errors.New("the token is about something else")
	}
	return nil
}

// Verify returns the time that a token says. The certificate that signed it must come from one
// of the roots, and be for time stamps; with nil roots, any certificate in the token will do:
// that proves little.
func Verify(token []byte, hash [32]byte, roots *x509.CertPool) (at time.Time, err error) {
	t, err := parse(func() (*timestamp.Timestamp, error) { return verify(token, roots) })
	if err != nil {
		return at, err
	}
	return t.Time, about(t, hash)
}

func verify(token []byte, roots *x509.CertPool) (*timestamp.Timestamp, error) {
	if len(token) > MaxToken {
		return nil, errors.New("the token is too large")
	}
	t, err := timestamp.Parse(token)
	if err != nil {
		return nil, err
	}
	p, err := pkcs7.Parse(token)
	if err != nil {
		return nil, err
	}
	if len(p.Certificates) == 0 || len(p.Signers) == 0 {
		return nil, errors.New("the token has no certificate")
	}
	if roots == nil {
		return t, nil
	}
	others := x509.NewCertPool()
	for _, c := range p.Certificates {
		others.AddCert(c)
	}
	return t, p.VerifyWithOpts(x509.VerifyOptions{
		Roots: roots, Intermediates: others, CurrentTime: t.Time, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageTimeStamping},
	})
}
