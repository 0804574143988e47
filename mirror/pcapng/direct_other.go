//go:build !linux

package pcapng

import (
	"errors"
	"os"
)

func setDirect(_ *os.File, direct bool) error {
	if direct {
		return errors.ErrUnsupported
	}
	return nil
}

func allocate(n int) (octets []byte, free func()) { return make([]byte, n), nil }
