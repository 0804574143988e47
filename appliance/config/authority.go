package config

// Authority names the files of the two inspection authorities. A pair that is
// not named is created in [Config.AuthorityDir].
type Authority struct {
	// Certificate is a PEM file of the authority that clients trust, or both are
	// one PKCS #12 file; Key may be a PKCS #11 URI ("pkcs11:...") that names its
	// key in a token.
	Certificate, Key string
	// UntrustedCertificate and UntrustedKey are those of the authority that
	// nobody trusts: it signs for origins that fail verification.
	UntrustedCertificate, UntrustedKey string
	// PassphraseFile holds, in its first line, the passphrase of keys that are
	// encrypted. New keys are then encrypted, too.
	PassphraseFile string
	// Publish is "ADDRESS:PORT" of a web page with the certificate and how to
	// install it; empty for none.
	Publish string
}

func (r *reader) authority(n *node) (a Authority) {
	t := r.table(n, "authority")
	a.Certificate, a.Key = r.keyPair(t, "certificate", "key", true)
	a.UntrustedCertificate, a.UntrustedKey = r.keyPair(t, "untrusted_certificate", "untrusted_key", true)
	if a.Certificate != "" && a.Certificate == a.UntrustedCertificate {
		r.fail(t.place("untrusted_certificate"), "untrusted_certificate: the two authorities must differ")
	}
	a.PassphraseFile = value(t, "passphrase_file", "", parseFile(r.dir))
	t.fill("authority", "", &a)
	r.page(t, "publish", "publish", a.Publish)
	t.close()
	return a
}
