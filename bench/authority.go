package bench

import (
	"path/filepath"

	"github.com/clearspan/clearspan/certs"
)

// authority makes a forging authority for a peer, with our own tools.
func authority(dir string) (cert, key string, err error) {
	cert, key = filepath.Join(dir, "ca.crt"), filepath.Join(dir, "ca.key")
	_, _, err = certs.LoadOrCreate(cert, key, certs.CreateOptions{CommonName: "peer authority"})
	return cert, key, err
}
