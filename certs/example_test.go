package certs_test

import (
	"context"
	"crypto/x509"
	"fmt"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"

	"github.com/clearspan/clearspan/certs"
)

func Example() {
	origin := httptest.NewTLSServer(nil)
	defer origin.Close()
	dir, err := os.MkdirTemp("", "authority")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)

	authority, _, err := certs.LoadOrCreate(filepath.Join(dir, "ca.crt"), filepath.Join(dir, "ca.key"), certs.CreateOptions{})
	if err != nil {
		log.Fatal(err)
	}
	forger, err := certs.NewForger(certs.ForgerConfig{Trusted: authority})
	if err != nil {
		log.Fatal(err)
	}
	chain := []*x509.Certificate{origin.Certificate()}
	forged, err := forger.Forge(context.Background(), chain, "example.com", true, true)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(forged.Leaf.DNSNames, forged.Leaf.IPAddresses)
	fmt.Println("issued by", forged.Leaf.Issuer.CommonName)
	// Output:
	// [example.com *.example.com] [127.0.0.1 ::1]
	// issued by clearspan inspection authority
}
