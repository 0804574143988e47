package admin

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// TokenName is the file in the state directory that holds the token which changes
// by the administration need.
const TokenName = "admin.token"

// minToken is the length of a token, in octets, at least.
const minToken = 16

// Token returns the token in a state directory, whose file is for its owner alone.
func Token(state string) (string, error) {
	path := filepath.Join(state, TokenName)
	info, err := os.Stat(path)
	if err != nil {
		return "", fmt.Errorf("read token of the administration: %w", err)
	}
	if perm := info.Mode().Perm(); perm&0o077 != 0 {
		return "", fmt.Errorf("read token of the administration: %s: mode %04o lets other users read it, want 0600", path, perm)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("read token of the administration: %w", err)
	}
	token := strings.TrimSpace(string(data))
	if len(token) < minToken {
		return "", fmt.Errorf("read token of the administration: %s: shorter than %d octets; remove it, and a restart makes another one", path, minToken)
	}
	return token, nil
}

// MakeToken is [Token], and makes a token where there is none.
func MakeToken(state string) (string, error) {
	token, err := Token(state)
	if !errors.Is(err, fs.ErrNotExist) {
		return token, err
	}
	f, err := os.CreateTemp(state, "."+TokenName+"-*") // mode 0600
	if err != nil {
		return "", fmt.Errorf("make token of the administration: %w", err)
	}
	token = rand.Text()
	_, err = fmt.Fprintln(f, token)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), filepath.Join(state, TokenName))
	}
	if err != nil {
		os.Remove(f.Name())
		return "", fmt.Errorf("make token of the administration: %w", err)
	}
	return token, nil
}
