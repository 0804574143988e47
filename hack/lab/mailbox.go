package lab

import (
	"context"
	"fmt"
	"maps"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Mailboxes are maildirs that Postfix delivers to and Dovecot serves.
type Mailboxes struct {
	Dir    string // one maildir a user
	Domain string

	users    map[string]string // password by user name
	uid, gid int               // owner of all mail
}

// NewMailboxes makes mailboxes below dir for users, a map from name to password.
func NewMailboxes(dir, domain string, users map[string]string) (*Mailboxes, error) {
	owner, err := user.Lookup("nobody")
	if err != nil {
		return nil, fmt.Errorf("find owner of mailboxes: %w", err)
	}
	m := &Mailboxes{Dir: dir, Domain: domain, users: maps.Clone(users)}
	m.uid, _ = strconv.Atoi(owner.Uid)
	m.gid, _ = strconv.Atoi(owner.Gid)
	return m, ownDir(dir, m.uid, m.gid, 0o755)
}

// Messages returns the raw messages in the user's mailbox, in the order of
// their delivery, with the header lines that the server added.
func (m *Mailboxes) Messages(name string) ([]string, error) {
	var paths []string
	for _, sub := range []string{"new", "cur"} {
		found, err := filepath.Glob(filepath.Join(m.Dir, name, sub, "*"))
		if err != nil {
			return nil, err
		}
		paths = append(paths, found...)
	}
	type message struct {
		text string
		at   time.Time
	}
	var list []message
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			return nil, err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		list = append(list, message{string(text), info.ModTime()})
	}
	slices.SortStableFunc(list, func(a, b message) int { return a.at.Compare(b.at) })
	texts := make([]string, len(list))
	for i := range list {
		texts[i] = list[i].text
	}
	return texts, nil
}

// WaitMessage waits until a message that contains part is in the user's
// mailbox, and returns it.
func (m *Mailboxes) WaitMessage(ctx context.Context, name, part string) (string, error) {
	for {
		messages, err := m.Messages(name)
		if err != nil && !os.IsNotExist(err) { // moved from new to cur meanwhile
			return "", err
		}
		for _, text := range messages {
			if strings.Contains(text, part) {
				return text, nil
			}
		}
		select {
		case <-ctx.Done():
			return "", fmt.Errorf("wait for mail to %s with %q: %w", name, part, ctx.Err())
		case <-time.After(pollEvery):
		}
	}
}
