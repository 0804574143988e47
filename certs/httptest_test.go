package certs

import (
	"crypto/x509"
	"net/http/httptest"
)

// newHTTPTestCertificate returns a certificate whose key is in every Go
// distribution.
func newHTTPTestCertificate() *x509.Certificate {
	s := httptest.NewTLSServer(nil)
	defer s.Close()
	return s.Certificate()
}
