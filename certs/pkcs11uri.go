package certs

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
)

const (
	tokenScheme = "pkcs11:"
	maxTokenURI = 4096 // octets
	maxPINFile  = 4096
)

// tokenURI is a PKCS #11 URI (RFC 7512) that names one private key.
type tokenURI struct {
	token, serial string // label and serial number of the token; one may be ""
	slot          int    // -1: not given
	object        string // label of the key; may be "" if id is given
	id            []byte // CKA_ID
	module        string // file of the library
	pin           string // file that holds the PIN; "" for a token without one
}

// defaultModule is used if a URI has no module-path: p11-kit's proxy, which
// knows all modules that are installed.
const defaultModule = "/usr/lib/x86_64-linux-gnu/p11-kit-proxy.so"

// parseTokenURI reads what a key needs: token or serial or slot-id, object or
// id, module-path and pin-source. Attributes that are not understood, or that
// say otherwise than type=private, are errors: they would select another key.
// A PIN in the URI itself is refused, for URIs are shown in logs.
func parseTokenURI(s string) (u tokenURI, err error) {
	rest, ok := strings.CutPrefix(s, tokenScheme)
	if !ok || len(s) > maxTokenURI {
		return u, errors.New("not a PKCS #11 URI")
	}
	u = tokenURI{slot: -1, module: defaultModule}
	path, query, _ := strings.Cut(rest, "?")
	seen := make(map[string]bool)
	for _, part := range []struct{ text, separator string }{{path, ";"}, {query, "&"}} {
		if part.text == "" {
			continue
		}
		for attribute := range strings.SplitSeq(part.text, part.separator) {
			name, value, ok := strings.Cut(attribute, "=")
			if !ok || name == "" {
				return u, errors.New("PKCS #11 URI: want attributes of the form name=value")
			}
			if seen[name] {
				return u, fmt.Errorf("PKCS #11 URI: attribute %.40q is given twice", name)
			}
			seen[name] = true
			if value, err = url.PathUnescape(value); err != nil {
				return u, fmt.Errorf("PKCS #11 URI: attribute %.40q is not well encoded", name)
			}
			if err := u.set(name, value); err != nil {
				return u, fmt.Errorf("PKCS #11 URI: %v", err)
			}
		}
	}
	selectors := 0
	for _, given := range []bool{u.token != "", u.serial != "", u.slot >= 0} {
		if given {
			selectors++
		}
	}
	switch {
	case selectors != 1:
		return u, errors.New("PKCS #11 URI: want one of token, serial and slot-id")
	case u.object == "" && len(u.id) == 0:
		return u, errors.New("PKCS #11 URI: want object or id of the key")
	}
	return u, nil
}

func (u *tokenURI) set(name, value string) (err error) {
	switch name {
	case "token":
		u.token = value
	case "serial":
		u.serial = value
	case "slot-id":
		if u.slot, err = strconv.Atoi(value); err != nil || u.slot < 0 {
			return errors.New("slot-id is not a number")
		}
	case "object":
		u.object = value
	case "id":
		u.id = []byte(value)
	case "type":
		if value != "private" {
			return errors.New("type: want private")
		}
	case "module-path":
		if !filepath.IsAbs(value) {
			return errors.New("module-path: want an absolute path")
		}
		u.module = filepath.Clean(value)
	case "pin-source":
		file := strings.TrimPrefix(value, "file:")
		file = strings.TrimPrefix(file, "//")
		if !filepath.IsAbs(file) {
			return errors.New("pin-source: want file: and an absolute path")
		}
		u.pin = filepath.Clean(file)
	case "pin-value":
		return errors.New("pin-value would be in clear in logs and listings: put the PIN into a file and name that by pin-source")
	default:
		return fmt.Errorf("attribute %.40q is not understood", name)
	}
	return nil
}

// readPIN returns the PIN, without a line end behind it.
func (u *tokenURI) readPIN() (string, error) {
	if u.pin == "" {
		return "", nil
	}
	data, err := readFile(u.pin, maxPINFile, true)
	if err != nil {
		return "", err
	}
	return strings.TrimRight(string(data), "\r\n"), nil
}

// String names the key without the PIN's file.
func (u *tokenURI) String() string {
	where := "slot " + strconv.Itoa(u.slot)
	if u.token != "" {
		where = "token " + strconv.Quote(u.token)
	} else if u.serial != "" {
		where = "token with serial number " + strconv.Quote(u.serial)
	}
	what := "object " + strconv.Quote(u.object)
	if u.object == "" {
		what = "object with id " + hex.EncodeToString(u.id)
	}
	return what + " in " + where
}

// CheckTokenURI says what is wrong with a PKCS #11 URI that names a key.
func CheckTokenURI(uri string) error {
	_, err := parseTokenURI(uri)
	return err
}
