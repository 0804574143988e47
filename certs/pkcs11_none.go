//go:build !pkcs11

package certs

import (
	"crypto"
	"errors"
)

// openToken refuses: the library that speaks to tokens needs cgo.
func openToken(uri string) (crypto.Signer, error) {
	if _, err := parseTokenURI(uri); err != nil {
		return nil, err
	}
	return nil, errors.New("this program was built without PKCS #11: build it with CGO_ENABLED=1 and -tags pkcs11 (make build-pkcs11)")
}
