package certs

import (
	"bytes"
	"encoding/pem"
	"errors"
	"fmt"
)

// maxCRLFile bounds a file of revocation lists, in octets.
const maxCRLFile = 256 << 20

// LoadCRLs reads files with revocation lists: one in DER form, or any number in
// PEM form. A file without a list, or with one that [ParseCRL] does not take, is
// an error that names the file. Lists are not read again when files change.
func LoadCRLs(files []string) ([]*CRL, error) {
	var lists []*CRL
	for _, file := range files {
		data, err := readFile(file, maxCRLFile, false)
		if err != nil {
			return nil, fmt.Errorf("load revocation lists: %w", err)
		}
		found, err := parseCRLs(data)
		if err != nil {
			return nil, fmt.Errorf("load revocation lists: %s: %v", file, err)
		}
		lists = append(lists, found...)
	}
	return lists, nil
}

func parseCRLs(data []byte) ([]*CRL, error) {
	if !bytes.Contains(data, []byte("-----BEGIN ")) {
		list, err := ParseCRL(data)
		if err != nil {
			return nil, err
		}
		return []*CRL{list}, nil
	}
	var lists []*CRL
	for {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			break
		}
		if block.Type != "X509 CRL" {
			continue
		}
		list, err := ParseCRL(block.Bytes)
		if err != nil {
			return nil, err
		}
		lists = append(lists, list)
	}
	if len(lists) == 0 {
		return nil, errors.New("no revocation list within")
	}
	return lists, nil
}
