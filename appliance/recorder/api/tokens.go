package api

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Role is what a caller may do.
type Role string

const (
	Viewer       Role = "viewer"       // the trail
	Investigator Role = "investigator" // contents
	Auditor      Role = "auditor"      // the log of accesses, verification
)

// Roles are all of them.
var Roles = []Role{Viewer, Investigator, Auditor}

// Token is one that was given to somebody. The token itself is not kept.
type Token struct {
	Name    string    `json:"name"`
	Roles   []Role    `json:"roles"`
	SHA256  string    `json:"sha256"`
	Made    time.Time `json:"made"`
	Expires time.Time `json:"expires"`
}

// TokensName is the file of tokens in the directory of a recorder.
const TokensName = "tokens.json"

const (
	tokenPrefix = "csr_"
	maxTokens   = 1000
)

// Tokens are those of a file, which may change at any time. It is safe for concurrent use.
type Tokens struct {
	file string

	mu   sync.Mutex
	read os.FileInfo
	list []Token
}

// OpenTokens returns the tokens of the directory of a recorder.
func OpenTokens(dir string) *Tokens { return &Tokens{file: filepath.Join(dir, TokensName)} }

// List returns the tokens.
func (t *Tokens) List() ([]Token, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	err := t.load()
	return slices.Clone(t.list), err
}

// load reads the file if it is another one than before.
func (t *Tokens) load() error {
	now, err := os.Stat(t.file)
	if errors.Is(err, fs.ErrNotExist) {
		t.list, t.read = nil, nil
		return nil
	}
	if err != nil {
		return err
	}
	if perm := now.Mode().Perm(); perm&0o077 != 0 {
		return fmt.Errorf("%s: mode %04o lets other users read it, want 0600", t.file, perm)
	}
	if t.read != nil && os.SameFile(t.read, now) && t.read.ModTime().Equal(now.ModTime()) {
		return nil
	}
	text, err := os.ReadFile(t.file)
	if err != nil {
		return err
	}
	var list []Token
	if err := json.Unmarshal(text, &list); err != nil {
		return fmt.Errorf("%s: %w", t.file, err)
	}
	t.list, t.read = list, now
	return nil
}

// find returns the entry of a token that has not expired.
func (t *Tokens) find(token string) (found Token, ok bool, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.load(); err != nil {
		return found, false, err
	}
	sum := sha256.Sum256([]byte(token))
	for _, one := range t.list {
		want, err := hex.DecodeString(one.SHA256)
		if err == nil && subtle.ConstantTimeCompare(want, sum[:]) == 1 && time.Now().Before(one.Expires) {
			found, ok = one, true
		}
	}
	return found, ok, nil
}

// Add makes a token. It is returned once, and only its hash is kept.
func (t *Tokens) Add(name string, roles []Role, lasts time.Duration) (token string, err error) {
	if name == "" || len(name) > 100 || strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return "", errors.New("the name of a token has 1 to 100 characters")
	}
	if len(roles) == 0 {
		return "", errors.New("a token needs a role")
	}
	for _, r := range roles {
		if !slices.Contains(Roles, r) {
			return "", fmt.Errorf("unknown role %q: want viewer, investigator or auditor", r)
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.load(); err != nil {
		return "", err
	}
	if len(t.list) >= maxTokens {
		return "", fmt.Errorf("there are %d tokens already", maxTokens)
	}
	if slices.ContainsFunc(t.list, func(o Token) bool { return o.Name == name }) {
		return "", fmt.Errorf("there is a token %q already", name)
	}
	token = tokenPrefix + rand.Text() + rand.Text()
	sum := sha256.Sum256([]byte(token))
	now := time.Now().UTC().Truncate(time.Second)
	made := Token{name, roles, hex.EncodeToString(sum[:]), now, now.Add(lasts)}
	return token, t.write(append(slices.Clone(t.list), made))
}

// Remove takes a token back, at once.
func (t *Tokens) Remove(name string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.load(); err != nil {
		return err
	}
	left := slices.DeleteFunc(slices.Clone(t.list), func(o Token) bool { return o.Name == name })
	if len(left) == len(t.list) {
		return fmt.Errorf("there is no token %q", name)
	}
	return t.write(left)
}

// own gives a file that root has made to the owner of its directory: the recorder.
func own(f *os.File, dir string) {
	i, err := os.Stat(dir)
	if err != nil || os.Geteuid() != 0 {
		return
	}
	if s, ok := i.Sys().(*syscall.Stat_t); ok {
		_ = f.Chown(int(s.Uid), int(s.Gid)) // else the recorder says that it cannot read it
	}
}

// write replaces the file. It gets the owner of its directory: the recorder, who reads it.
func (t *Tokens) write(list []Token) error {
	text, err := json.MarshalIndent(list, "", "  ")
	if err != nil {
		return err
	}
	dir := filepath.Dir(t.file)
	f, err := os.CreateTemp(dir, "."+TokensName+"-*") // mode 0600
	if err != nil {
		return err
	}
	_, err = f.Write(append(text, '\n'))
	own(f, dir)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), t.file)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	t.read = nil
	return err
}
