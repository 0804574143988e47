package privilege

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"strconv"
	"strings"
	"syscall"

	"kernel.org/pub/linux/libs/security/libcap/cap"
)

// Account is the user that a process of root becomes if it exists.
const Account = "clearspan"

// Without that account a process of root takes the first of these numbers that is
// nobody's. Neither accounts nor units of systemd get them: they lie between both.
const (
	firstUnnamed = 60900
	lastUnnamed  = 60999
)

// User is whom a process becomes. The zero value is nobody: the process stays who it
// is.
type User struct {
	uid, gid int
	change   bool
}

// FindUser returns the user whom a process is to become: the one of that name or
// number; without a name [Account], else a number that is nobody's. A process that
// is not root stays who it is, whatever the name. It is an error if the process
// cannot become that user.
func FindUser(name string) (User, error) {
	if os.Geteuid() != 0 || name == "root" || name == "0" {
		return User{}, nil
	}
	u, err := find(name)
	if err == nil {
		err = u.possible()
	}
	if err != nil {
		return User{}, err
	}
	return u, nil
}

func find(name string) (User, error) {
	if name != "" {
		u, err := lookup(name)
		if err != nil {
			return User{}, fmt.Errorf("find user %s: %w", name, err)
		}
		return u, nil
	}
	if u, err := lookup(Account); err == nil {
		return u, nil
	}
	for uid := firstUnnamed; uid <= lastUnnamed; uid++ {
		var unknown user.UnknownUserIdError
		if _, err := user.LookupId(strconv.Itoa(uid)); errors.As(err, &unknown) {
			return User{uid: uid, gid: uid, change: true}, nil
		}
	}
	return User{}, fmt.Errorf("find a user: there is no account %s, and the numbers from %d to %d are taken", Account, firstUnnamed, lastUnnamed)
}

// lookup finds an account by its name or number.
func lookup(name string) (User, error) {
	account, err := user.Lookup(name)
	if err != nil {
		if byNumber, numberErr := user.LookupId(name); numberErr == nil {
			account, err = byNumber, nil
		}
	}
	if err != nil {
		return User{}, err
	}
	uid, uidErr := strconv.Atoi(account.Uid)
	gid, gidErr := strconv.Atoi(account.Gid)
	if err := errors.Join(uidErr, gidErr); err != nil {
		return User{}, err
	}
	return User{uid: uid, gid: gid, change: uid != 0}, nil
}

// possible returns an error if the process may not become the user, or not give
// files to it: so it is in some containers.
func (u User) possible() error {
	have, err := cap.GetPID(0)
	if err != nil {
		return fmt.Errorf("read capabilities: %w", err)
	}
	for _, v := range []cap.Value{cap.SETUID, cap.SETGID, cap.CHOWN} {
		if !permits(have, v) {
			return fmt.Errorf("become user %d: the process has no %v", u.uid, v)
		}
	}
	for file, id := range map[string]int{"/proc/self/uid_map": u.uid, "/proc/self/gid_map": u.gid} {
		if data, err := os.ReadFile(file); err == nil && !mapped(string(data), id) {
			return fmt.Errorf("become user %d: the user namespace has no %d in %s", u.uid, id, file)
		}
	}
	return nil
}

// mapped reports whether a number is in the lines of an ID map (user_namespaces(7)).
func mapped(lines string, id int) bool {
	for line := range strings.Lines(lines) {
		var first, outside, count int64
		if n, _ := fmt.Sscan(line, &first, &outside, &count); n == 3 && first <= int64(id) && int64(id) < first+count {
			return true
		}
	}
	return false
}

// ID returns the number of the user whose process this will be.
func (u User) ID() int {
	if u.change {
		return u.uid
	}
	return os.Geteuid()
}

// Reaches reports whether the user, without any capability, may do with a path what
// permission says, in the bits of all others (0o004 read, 0o002 write), and may
// go there. What does not exist is reached.
func (u User) Reaches(path string, permission fs.FileMode) bool {
	return reaches(u.ID(), u.group(), path, permission)
}

func (u User) group() int {
	if u.change {
		return u.gid
	}
	return os.Getegid()
}

// Own gives the user a directory and what is in it, as far as that is root's or of
// an earlier process's number. Groups stay. It does nothing to a directory that all
// others may look into, or that is root's home: such a one is not for clearspan alone.
// Files that have a second name somewhere are left alone: they may be no files of
// ours. Symbolic links are not followed.
func (u User) Own(dir string) error {
	if !u.change {
		return nil
	}
	if shared, err := isShared(dir); err != nil || shared {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("give %s to user %d: %w", dir, u.uid, err)
	}
	defer root.Close()
	err = fs.WalkDir(root.FS(), ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil // gone since it was listed
		}
		if err != nil {
			return err
		}
		st, ok := info.Sys().(*syscall.Stat_t)
		if !ok || !ours(int(st.Uid)) || int(st.Uid) == u.uid || entry.Type().IsRegular() && st.Nlink > 1 {
			return nil
		}
		return root.Lchown(path, u.uid, -1)
	})
	if err != nil {
		return fmt.Errorf("give %s to user %d: %w", dir, u.uid, err)
	}
	return nil
}

// isShared reports whether a directory is there for more than clearspan.
func isShared(dir string) (bool, error) {
	info, err := os.Stat(dir)
	if err != nil {
		return false, fmt.Errorf("look at %s: %w", dir, err)
	}
	if info.Mode().Perm()&0o005 != 0 {
		return true, nil
	}
	account, err := user.LookupId("0")
	if err != nil {
		return false, nil // a machine without accounts
	}
	home, err := os.Stat(account.HomeDir)
	return err == nil && os.SameFile(info, home), nil
}

func ours(uid int) bool { return uid == 0 || firstUnnamed <= uid && uid <= lastUnnamed }

// become changes the user of all threads, and returns who the process is then. The
// permitted capabilities stay.
func (u User) become() (uid int, err error) {
	if !u.change {
		return os.Geteuid(), nil
	}
	if err := cap.SetGroups(u.gid); err != nil {
		return os.Geteuid(), fmt.Errorf("become group %d: %w", u.gid, err)
	}
	if err := cap.SetUID(u.uid); err != nil {
		return os.Geteuid(), fmt.Errorf("become user %d: %w", u.uid, err)
	}
	return os.Geteuid(), nil
}
