package lab

import (
	"crypto/rand"
	"crypto/x509"
	"fmt"
	"math/big"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/clearspan/clearspan/hack/netlab"
)

// CRL returns a list, in DER form, of what the root has revoked: it counts for a
// day.
func (p *PKI) CRL(revoked ...KeyPair) ([]byte, error) {
	template := &x509.RevocationList{
		Number: big.NewInt(1), ThisUpdate: time.Now().Add(-time.Hour), NextUpdate: time.Now().Add(24 * time.Hour),
	}
	for _, k := range revoked {
		template.RevokedCertificateEntries = append(template.RevokedCertificateEntries,
			x509.RevocationListEntry{SerialNumber: k.Leaf.SerialNumber, RevocationTime: time.Now().Add(-2 * time.Hour)})
	}
	return x509.CreateRevocationList(rand.Reader, template, p.Root, p.key)
}

// Staple has openssl sign an OCSP response about a certificate and returns the
// file. The responder is certified by the root.
func (p *PKI) Staple(about, responder KeyPair, revoked bool) (string, error) {
	index := filepath.Join(p.dir, "staple-index")
	list := map[bool][]KeyPair{true: {about}}[revoked]
	if err := writeFiles(p.dir, map[string]string{"staple-index": indexOf([]KeyPair{about}, list)}); err != nil {
		return "", err
	}
	file := about.CertFile + ".ocsp"
	out, err := exec.Command("openssl", "ocsp", "-index", index, "-CA", p.RootFile, "-rsigner", responder.CertFile, "-rkey", responder.KeyFile,
		"-issuer", p.RootFile, "-cert", about.CertFile, "-ndays", "1", "-respout", file, "-noverify").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("openssl ocsp: %v\n%s", err, out)
	}
	return file, nil
}

// StartResponder runs an OCSP responder, openssl, on a port. It knows the
// certificates known; revoked are those of them that are.
func StartResponder(ns *netlab.Namespace, dir string, p *PKI, responder KeyPair, port int, known, revoked []KeyPair) (*Server, error) {
	if err := writeFiles(dir, map[string]string{"index": indexOf(known, revoked)}); err != nil {
		return nil, err
	}
	// It stands still when a connection comes and goes without a request: its word
	// that it waits must do.
	waiting := func(s *Server) bool { return strings.Contains(s.Log(), "waiting for OCSP client") }
	return startServer(ns, dir, waiting, "openssl", "ocsp", "-port", fmt.Sprint(port), "-index", filepath.Join(dir, "index"),
		"-CA", p.RootFile, "-rsigner", responder.CertFile, "-rkey", responder.KeyFile, "-ndays", "1")
}

// indexOf is the data base of openssl's CA: status, end, time of revocation,
// serial number, file, name.
func indexOf(known, revoked []KeyPair) string {
	const form = "060102150405Z"
	var b strings.Builder
	for _, k := range known {
		status, since := "V", ""
		if slices.ContainsFunc(revoked, func(r KeyPair) bool { return r.CertFile == k.CertFile }) {
			status, since = "R", time.Now().Add(-2*time.Hour).UTC().Format(form)
		}
		serial := strings.ToUpper(k.Leaf.SerialNumber.Text(16))
		if len(serial)%2 == 1 {
			serial = "0" + serial
		}
		fmt.Fprintf(&b, "%s\t%s\t%s\t%s\tunknown\t/CN=%s\n", status, k.Leaf.NotAfter.UTC().Format(form), since, serial, k.Leaf.Subject.CommonName)
	}
	return b.String()
}
