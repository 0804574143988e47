package certs

import (
	"crypto/x509"
	"errors"
	"fmt"
)

// SystemRoots stands for the system's trust store in [LoadRoots].
const SystemRoots = "system"

// LoadRoots returns the union of the listed roots: [SystemRoots], or files with
// certificates in PEM form. A file without a certificate, or with one that
// cannot be parsed, is an error that names the file; so is an empty list.
func LoadRoots(files []string) (*x509.CertPool, error) {
	if len(files) == 0 {
		return nil, errors.New("load roots: the list is empty")
	}
	var loaded []*x509.Certificate
	pool := x509.NewCertPool()
	for _, file := range files {
		if file == SystemRoots {
			system, err := x509.SystemCertPool() // a copy of its own
			if err != nil {
				return nil, fmt.Errorf("load system roots: %v", err)
			}
			pool = system
			continue
		}
		data, err := readFile(file, maxRootsFile, false)
		if err != nil {
			return nil, fmt.Errorf("load roots: %w", err)
		}
		certs, err := parseCertificates(data)
		if err != nil {
			return nil, fmt.Errorf("load roots: %s: %v", file, err)
		}
		loaded = append(loaded, certs...)
	}
	for _, cert := range loaded {
		pool.AddCert(cert)
	}
	return pool, nil
}
