package authority

import (
	"bytes"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/clearspan/clearspan/certs"
)

// Debian's trust store: files of one certificate, and the program that gathers
// them.
const (
	anchors       = "/usr/local/share/ca-certificates"
	anchorPrefix  = "clearspan-ca-"
	gatherAnchors = "update-ca-certificates"
)

// Trust makes this machine trust list, or, if remove is set, no certificate that
// Trust has installed. It returns the files that it changed. Elsewhere than on
// Debian and its descendants it changes nothing and says what to do.
func Trust(list []*x509.Certificate, remove bool) (changed []string, err error) {
	gather, err := exec.LookPath(gatherAnchors)
	if err != nil {
		return nil, errors.New("install in trust store: only Debian's store is known here (" + gatherAnchors +
			" was not found): write the certificate by clearspan ca export, and follow the page of authority.publish for this system")
	}
	if remove {
		changed, err = removeAnchors()
	} else {
		changed, err = writeAnchors(list)
	}
	if err != nil || len(changed) == 0 {
		return changed, err
	}
	var said bytes.Buffer
	cmd := exec.Command(gather)
	if remove {
		cmd.Args = append(cmd.Args, "--fresh") // else links to what is gone stay
	}
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Run(); err != nil {
		return changed, fmt.Errorf("run %s: %w: %s", gatherAnchors, err, strings.TrimSpace(said.String()))
	}
	return changed, nil
}

func writeAnchors(list []*x509.Certificate) (changed []string, err error) {
	if err := os.MkdirAll(anchors, 0o755); err != nil {
		return nil, fmt.Errorf("install in trust store: %w", err)
	}
	for _, cert := range list {
		data, err := certs.Export(certs.PEM, []*x509.Certificate{cert})
		if err != nil {
			return changed, err
		}
		name := filepath.Join(anchors, anchorPrefix+shortPrint(cert)+".crt")
		if old, err := os.ReadFile(name); err == nil && bytes.Equal(old, data) {
			continue
		}
		if err := os.WriteFile(name, data, 0o644); err != nil {
			return changed, fmt.Errorf("install in trust store: %w", err)
		}
		changed = append(changed, name)
	}
	return changed, nil
}

func removeAnchors() (changed []string, err error) {
	files, err := filepath.Glob(filepath.Join(anchors, anchorPrefix+"*.crt"))
	if err != nil {
		return nil, err
	}
	for _, name := range files {
		if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return changed, fmt.Errorf("remove from trust store: %w", err)
		}
		changed = append(changed, name)
	}
	return changed, nil
}

// shortPrint names a certificate in a file name.
func shortPrint(cert *x509.Certificate) string {
	octets, _ := hex.DecodeString(strings.ReplaceAll(certs.Fingerprint(cert), ":", ""))
	return hex.EncodeToString(octets[:8])
}
