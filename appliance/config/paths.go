package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Read returns the text of the file at path, for [Parse].
func Read(path string) ([]byte, error) {
	data, err := readFile(path)
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	return data, nil
}

// readFile returns the first maxFile+1 octets of a file: enough to see that it
// is too long, even if it never ends.
func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var data bytes.Buffer
	if info, err := f.Stat(); err == nil && info.Size() <= maxFile {
		data.Grow(int(info.Size()) + bytes.MinRead)
	}
	_, err = data.ReadFrom(io.LimitReader(f, maxFile+1))
	return data.Bytes(), err
}

// parsePath accepts a path, and makes a relative one relative to base.
func parsePath(base string) func(string) (string, error) {
	return func(s string) (string, error) {
		switch {
		case s == "":
			return "", errors.New("path is empty")
		case strings.HasPrefix(s, "~"):
			return "", errors.New("~ is not expanded, write the directory out")
		case filepath.IsAbs(s):
			return filepath.Clean(s), nil
		}
		return filepath.Join(base, s), nil
	}
}

// parseFile accepts the path of a file that exists.
func parseFile(base string) func(string) (string, error) {
	resolve := parsePath(base)
	return func(s string) (string, error) {
		path, err := resolve(s)
		if err != nil {
			return "", err
		}
		info, err := os.Stat(path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return "", fmt.Errorf("file %q does not exist", path)
		case err != nil:
			return "", fmt.Errorf("file %q cannot be examined", path)
		case info.IsDir():
			return "", fmt.Errorf("%q is a directory", path)
		}
		return path, nil
	}
}

// tokenScheme begins the name of a key in a PKCS #11 token.
const tokenScheme = "pkcs11:"

// keyPair reads a certificate and its key, two files that are given together or
// not at all. token allows a PKCS #11 URI for the key.
func (r *reader) keyPair(t *table, certificate, key string, token bool) (cert, priv string) {
	if t.has(certificate) != t.has(key) {
		present, absent := certificate, key
		if t.has(key) {
			present, absent = key, certificate
		}
		r.fail(t.place(present), "%s needs %s beside it", present, absent)
	}
	cert = value(t, certificate, "", parseFile(r.dir))
	file := parseFile(r.dir)
	priv = value(t, key, "", func(s string) (string, error) {
		if token && strings.HasPrefix(s, tokenScheme) {
			return s, nil
		}
		return file(s)
	})
	return cert, priv
}

// defaultState returns where state is kept when the configuration does not say:
// the directory that systemd gives to a service (STATE_DIRECTORY, systemd.exec(5)),
// /var/lib/clearspan for root, ~/.local/state/clearspan for others.
func defaultState(euid int, getenv func(string) string) string {
	if first, _, _ := strings.Cut(getenv("STATE_DIRECTORY"), ":"); filepath.IsAbs(first) {
		return first
	}
	if euid != 0 {
		if home := getenv("HOME"); filepath.IsAbs(home) {
			return filepath.Join(home, ".local", "state", "clearspan")
		}
	}
	return "/var/lib/clearspan"
}
