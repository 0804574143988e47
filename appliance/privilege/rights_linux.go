package privilege

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
	"kernel.org/pub/linux/libs/security/libcap/cap"
)

// Rights are what a process needs after its start.
type Rights struct {
	User User
	// Keep are the capabilities that stay, as far as the process has them.
	Keep []cap.Value
	// Reads and Writes are files and directories, which include all below them.
	// A file that is replaced by another of its name needs its directory here.
	// Paths that do not exist are passed over.
	Reads, Writes []string
	// Moves lets files move between directories of Writes. Linux before 5.19 bounds no files
	// then.
	Moves bool
	// Namespaces lets the process enter network namespaces that exist.
	Namespaces bool
	// Programs lets the process use eBPF.
	Programs bool
	// Sealed says that the process needs nothing but the descriptors that it has: it opens no
	// file, makes no socket and starts no process. Reads, Writes, Namespaces and Programs are
	// not looked at then.
	Sealed bool
	// Foreign says that code of others runs in the process, such as the module of
	// a PKCS #11 token. What that opens and calls is not known: only capabilities
	// are bounded then, and the user if one is named.
	Foreign bool
}

// Left is what a process has after [Confine].
type Left struct {
	User  int // effective
	Keep  []cap.Value
	Files bool // bounded by Landlock
	Calls bool // bounded by seccomp
	// Lacks are the reasons for what is not bounded.
	Lacks []error
}

// Capabilities lists what was kept as operators read it, "none" if nothing was.
func (l *Left) Capabilities() string {
	if len(l.Keep) == 0 {
		return "none"
	}
	names := make([]string, len(l.Keep))
	for i, v := range l.Keep {
		names[i] = strings.TrimPrefix(v.String(), "cap_")
	}
	return strings.Join(names, " ")
}

// Confine gives up, in every thread and for good, all that r does not name. Call it
// once, when everything is open. After an error the process is to end: a part may
// have been given up.
func Confine(r Rights) (*Left, error) {
	have, err := cap.GetPID(0)
	if err != nil {
		return nil, fmt.Errorf("read capabilities: %w", err)
	}
	r.Keep = slices.DeleteFunc(slices.Clone(r.Keep), func(v cap.Value) bool { return !permits(have, v) })
	left := &Left{Keep: r.Keep}
	if _, err := cap.Prctlw(unix.PR_SET_NO_NEW_PRIVS, 1); err != nil {
		return nil, fmt.Errorf("give new privileges up: %w", err)
	}
	if left.User, err = r.User.become(); err != nil {
		return nil, err
	}
	if err := keep(have, r.Keep); err != nil {
		return nil, err
	}
	if r.Foreign {
		left.Lacks = append(left.Lacks, errors.New("files and system calls of a token's module are not known"))
		return left, nil
	}
	if err := confineFiles(r); err != nil {
		left.Lacks = append(left.Lacks, err)
	} else {
		left.Files = true
	}
	if err := confineCalls(r); err != nil {
		left.Lacks = append(left.Lacks, err)
	} else {
		left.Calls = true
	}
	return left, nil
}

// keep drops all capabilities but those of list. The bounding set needs one to be
// changed; without that it is out of reach, and as useless.
func keep(have *cap.Set, list []cap.Value) error {
	if err := cap.ResetAmbient(); err != nil {
		return fmt.Errorf("clear ambient capabilities: %w", err)
	}
	now, err := cap.GetPID(0)
	if err != nil {
		return fmt.Errorf("read capabilities: %w", err)
	}
	if permits(have, cap.SETPCAP) {
		if err := now.SetFlag(cap.Effective, true, cap.SETPCAP); err != nil {
			return fmt.Errorf("raise setpcap: %w", err)
		}
		if err := now.SetProc(); err != nil { // a change of user cleared it
			return fmt.Errorf("raise setpcap: %w", err)
		}
		for v := range cap.MaxBits() {
			if slices.Contains(list, v) {
				continue
			}
			if err := cap.DropBound(v); err != nil {
				return fmt.Errorf("drop %v from the bounding set: %w", v, err)
			}
		}
	}
	set := cap.NewSet()
	err = errors.Join(set.SetFlag(cap.Permitted, true, list...), set.SetFlag(cap.Effective, true, list...))
	if err == nil {
		err = replace(now, set)
	}
	if err != nil {
		return fmt.Errorf("drop capabilities: %w", err)
	}
	return nil
}

// replace has every thread go from the capabilities now to those of set. A process that
// has them already asks for nothing: its manager may have forbidden the call.
func replace(now, set *cap.Set) error {
	if difference, err := now.Cf(set); err == nil && difference == 0 {
		return nil
	}
	return set.SetProc()
}

func permits(set *cap.Set, v cap.Value) bool {
	has, err := set.GetFlag(cap.Permitted, v)
	return has && err == nil
}
