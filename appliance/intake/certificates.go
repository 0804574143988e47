package intake

import (
	"crypto/tls"
	"crypto/x509"
)

// fixedCertificates returns what shows clients the given certificates in every session:
// the one that suits the hello, else the first. Nil for none.
func fixedCertificates(list []tls.Certificate) func(string, bool) []tls.Certificate {
	if len(list) == 0 {
		return nil
	}
	return func(string, bool) []tls.Certificate { return list }
}

// certificatesByName returns what shows clients those of the given certificates that are
// valid for the server name, where the origin has proven it. Nil for none.
func certificatesByName(list []tls.Certificate) func(string, bool) []tls.Certificate {
	if len(list) == 0 {
		return nil
	}
	return func(name string, proven bool) (own []tls.Certificate) {
		if !proven || name == "" {
			return nil
		}
		for _, c := range list {
			if leaf := leafOf(&c); leaf != nil && leaf.VerifyHostname(name) == nil {
				own = append(own, c)
			}
		}
		return own
	}
}

func leafOf(c *tls.Certificate) *x509.Certificate {
	if c.Leaf != nil || len(c.Certificate) == 0 {
		return c.Leaf
	}
	leaf, err := x509.ParseCertificate(c.Certificate[0])
	if err != nil {
		return nil
	}
	return leaf
}
