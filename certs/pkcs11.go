//go:build pkcs11

package certs

import (
	"crypto"
	"fmt"
	"sync"

	"github.com/ThalesGroup/crypto11"
)

// tokens are the keys that are open, by URI. A module may be initialised once
// in a process, so that they stay open, as few as there are URIs in use.
var tokens struct {
	sync.Mutex
	keys map[string]crypto.Signer
}

// openToken returns the key that a PKCS #11 URI names. It signs inside the
// token; nothing here ever holds it.
func openToken(uri string) (crypto.Signer, error) {
	u, err := parseTokenURI(uri)
	if err != nil {
		return nil, err
	}
	tokens.Lock()
	defer tokens.Unlock()
	if key, ok := tokens.keys[uri]; ok {
		return key, nil
	}
	pin, err := u.readPIN()
	if err != nil {
		return nil, fmt.Errorf("read PIN: %w", err)
	}
	config := &crypto11.Config{
		Path: u.module, TokenLabel: u.token, TokenSerial: u.serial, Pin: pin, LoginNotSupported: u.pin == "",
	}
	if u.slot >= 0 {
		config.SlotNumber = &u.slot
	}
	context, err := crypto11.Configure(config)
	if err != nil {
		return nil, fmt.Errorf("open %s: %v", &u, err)
	}
	var label []byte
	if u.object != "" {
		label = []byte(u.object)
	}
	key, err := context.FindKeyPair(u.id, label)
	if err == nil && key == nil {
		err = fmt.Errorf("no such key")
	}
	if err != nil {
		context.Close()
		return nil, fmt.Errorf("open %s: %v", &u, err)
	}
	if tokens.keys == nil {
		tokens.keys = make(map[string]crypto.Signer)
	}
	tokens.keys[uri] = key
	return key, nil
}
