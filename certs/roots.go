package certs

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
)

// SystemRoots stands for the system's trust store in [LoadRoots].
const SystemRoots = "system"

// LoadRoots returns the union of the listed roots: [SystemRoots], or files with
// certificates in PEM form. It skips a root that it cannot read, and a file without
// any; skipped has an error for each, which names the file. It is an error if no root
// is left.
func LoadRoots(files []string) (pool *x509.CertPool, skipped []error, err error) {
	if len(files) == 0 {
		return nil, nil, errors.New("load roots: the list is empty")
	}
	var loaded []*x509.Certificate
	pool = x509.NewCertPool()
	system := false
	for _, file := range files {
		if file == SystemRoots {
			p, err := x509.SystemCertPool() // a copy of its own
			if err != nil {
				skipped = append(skipped, fmt.Errorf("load system roots: %v", err))
				continue
			}
			pool, system = p, true
			continue
		}
		roots, faults := readRoots(file)
		loaded, skipped = append(loaded, roots...), append(skipped, faults...)
	}
	if len(loaded) == 0 && !system {
		return nil, nil, errors.Join(skipped...)
	}
	for _, cert := range loaded {
		pool.AddCert(obeyed(cert))
	}
	return pool, skipped, nil
}

// readRoots returns the certificates of a file and what is wrong with others.
func readRoots(file string) (roots []*x509.Certificate, faults []error) {
	data, err := readFile(file, maxRootsFile, false)
	if err != nil {
		return nil, []error{fmt.Errorf("load roots: %w", err)}
	}
	for n := 1; ; {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		if cert, err := x509.ParseCertificate(block.Bytes); err == nil {
			roots = append(roots, cert)
		} else {
			faults = append(faults, fmt.Errorf("load roots: %s: parse certificate %d: %v", file, n, err))
		}
		n++
	}
	if len(roots) == 0 && len(faults) == 0 {
		faults = append(faults, fmt.Errorf("load roots: %s: no certificate in PEM form", file))
	}
	return roots, faults
}
