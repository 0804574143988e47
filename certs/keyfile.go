package certs

import (
	"bytes"
	"crypto"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"filippo.io/age"
	"filippo.io/age/armor"
	"software.sslmate.com/src/go-pkcs12"
)

// Passphrase returns the passphrase that opens encrypted keys. It is called
// when one is met, never for a key in clear.
type Passphrase func() (string, error)

// workFactor is the binary logarithm of scrypt's N: 256 MiB and about a second.
// Tests lower it.
var workFactor = 18

// maxWorkFactor bounds what a file may ask for: 1 GiB.
const maxWorkFactor = 20

// ErrPassphrase is matched by errors about an encrypted key that was not opened:
// the passphrase is wrong, or there is none.
var ErrPassphrase = errors.New("passphrase needed")

// openKey returns the key of a file, or of a token if name is a PKCS #11 URI.
func openKey(name string, ask Passphrase) (crypto.Signer, error) {
	if IsTokenURI(name) {
		return openToken(name)
	}
	data, err := readFile(name, maxAuthorityFile, true)
	if err != nil {
		return nil, err
	}
	defer func() { clear(data) }() // the text of the key is not left in memory
	if data, err = decryptFile(data, ask); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	key, err := parseKey(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %v", name, err)
	}
	return key, nil
}

// isAgeFile reports whether data is an age file.
func isAgeFile(data []byte) bool {
	return bytes.HasPrefix(bytes.TrimLeft(data, " \t\r\n"), []byte(armor.Header))
}

// encryptFile encrypts data with a passphrase, in age's text form. A nil ask leaves it
// in clear.
func encryptFile(data []byte, ask Passphrase) ([]byte, error) {
	if ask == nil {
		return data, nil
	}
	passphrase, err := ask()
	if err != nil {
		return nil, err
	}
	recipient, err := age.NewScryptRecipient(passphrase)
	if err != nil {
		return nil, errors.New("passphrase is empty")
	}
	recipient.SetWorkFactor(workFactor)
	var out bytes.Buffer
	text := armor.NewWriter(&out)
	w, err := age.Encrypt(text, recipient)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(data); err != nil {
		return nil, err
	}
	if err := errors.Join(w.Close(), text.Close()); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// decryptFile is the reverse of encryptFile; what is in clear stays as it is.
func decryptFile(data []byte, ask Passphrase) ([]byte, error) {
	if !isAgeFile(data) {
		return data, nil
	}
	if ask == nil {
		return nil, fmt.Errorf("key is encrypted: %w", ErrPassphrase)
	}
	passphrase, err := ask()
	if err != nil {
		return nil, err
	}
	identity, err := age.NewScryptIdentity(passphrase)
	if err != nil {
		return nil, errors.New("passphrase is empty")
	}
	identity.SetMaxWorkFactor(maxWorkFactor)
	r, err := age.Decrypt(armor.NewReader(bytes.NewReader(data)), identity)
	if err != nil {
		if errors.Is(err, age.ErrIncorrectIdentity) {
			return nil, fmt.Errorf("passphrase is wrong: %w", ErrPassphrase)
		}
		return nil, errors.New("encrypted key is damaged")
	}
	clear := bytes.NewBuffer(make([]byte, 0, len(data)+bytes.MinRead)) // never grows
	_, err = clear.ReadFrom(io.LimitReader(r, maxAuthorityFile))
	if err != nil {
		return nil, errors.New("encrypted key is damaged")
	}
	return clear.Bytes(), nil
}

// encodeKey returns a PKCS #8 key in PEM form. The caller clears it. Unlike
// encoding/pem it leaves no copy in buffers of its own.
func encodeKey(der []byte) []byte {
	const lineLength = 64
	body := make([]byte, base64.StdEncoding.EncodedLen(len(der)))
	defer clear(body)
	base64.StdEncoding.Encode(body, der)
	text := make([]byte, 0, len(body)+len(body)/lineLength+64)
	text = append(text, "-----BEGIN PRIVATE KEY-----\n"...)
	for line := range slices.Chunk(body, lineLength) {
		text = append(append(text, line...), '\n')
	}
	return append(text, "-----END PRIVATE KEY-----\n"...)
}

// Encrypted reports whether the key in a file is encrypted, by age or as PKCS #12
// with a password. A key in a token is
// not in a file, and counts as encrypted.
func Encrypted(keyFile string) (bool, error) {
	if IsTokenURI(keyFile) {
		return true, nil
	}
	data, err := readFile(keyFile, maxAuthorityFile, true)
	if err != nil {
		return false, fmt.Errorf("look at authority key: %w", err)
	}
	if isAgeFile(data) || isPEM(data) {
		return isAgeFile(data), nil
	}
	_, _, _, err = pkcs12.DecodeChain(data, "")
	return errors.Is(err, pkcs12.ErrIncorrectPassword), nil
}

// EncryptKey replaces a key file by its encryption, and reports whether it did:
// a key that is encrypted already is left alone. The octets of the file in clear
// are overwritten where they were; on flash memory, or a file system that copies
// on write, older copies of them may survive.
func EncryptKey(keyFile string, ask Passphrase) (bool, error) {
	data, err := readFile(keyFile, maxAuthorityFile, true)
	if err != nil {
		return false, fmt.Errorf("encrypt authority key: %w", err)
	}
	if isAgeFile(data) {
		return false, nil
	}
	if _, err := parseKey(data); err != nil {
		return false, fmt.Errorf("encrypt authority key: %s: %v", keyFile, err)
	}
	encrypted, err := encryptFile(data, ask)
	if err != nil {
		return false, fmt.Errorf("encrypt authority key: %s: %w", keyFile, err)
	}
	// Once the new file is in place the old one has no name any more.
	old, err := os.OpenFile(keyFile, os.O_WRONLY, 0)
	if err != nil {
		return false, fmt.Errorf("encrypt authority key: %w", err)
	}
	defer old.Close()
	if err := writeFile(keyFile, encrypted, 0o600); err != nil {
		return false, fmt.Errorf("encrypt authority key: %w", err)
	}
	if _, err = old.WriteAt(make([]byte, len(data)), 0); err == nil {
		err = old.Sync()
	}
	if err != nil {
		return true, fmt.Errorf("overwrite authority key in clear: %w", err)
	}
	return true, nil
}

// IsTokenURI reports whether a key is named by a PKCS #11 URI, not by a file.
func IsTokenURI(name string) bool { return strings.HasPrefix(name, tokenScheme) }
